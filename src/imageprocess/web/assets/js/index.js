// The home page: samples to try, the illustrated network, and the model's measured accuracy.

import { byId, el } from "./dom.js";
import { wireFileInput } from "./file-input.js";
import { drawStaticFigure } from "./network-figure.js";
import { site } from "./site.js";
import { has, number, percent, privacyKey, t } from "./i18n.js";

/** model.json of the model that gives the verdicts. */
async function fetchModel() {
  const response = await fetch("model/model.json", { cache: "no-cache" });
  if (!response.ok) throw new Error(`model/model.json: ${response.status}`);
  return response.json();
}

async function showAccuracy({ name, version, files, measured }) {
  byId("model-line").textContent = t("model.line", { name, version, sha: files["model.onnx"].slice(0, 12) });
  if (!measured) {
    byId("measured-lead").textContent = t("measured.none");
    return;
  }
  byId("measured-lead").textContent = t("measured.lead", { name, version, date: measured.date, data: measured.data_id });
  byId("measured-rows").replaceChildren(...Object.entries(measured.splits).flatMap(rows));
  byId("measured").hidden = byId("measured-note").hidden = false;
}

/** Rows of a split, which holds the figures of one tier, with its name, or of several by name. */
function rows([split, figures]) {
  const tiers = "tier" in figures ? [[figures.tier, figures]] : Object.entries(figures);
  return tiers.map(([tier, tierFigures]) => row(split, tier, tierFigures));
}

function row(split, tier, figures) {
  const { n, intervals, auroc } = figures;
  const accuracy = figures.accuracy ??  figures.balanced_accuracy;
  return el(
    "tr", {},
    el("th", { scope: "row" }, labelOf("split", split), el("span", { class: "hint" }, ` ${labelOf("tier", tier)}`)),
    cell(tenths(accuracy), intervals?.accuracy && `(${intervals.accuracy.map(tenths).join(" – ")})`),
    cell(tenths(figures["fpr@balanced"])),
    cell(tenths(1 - figures["coverage@balanced"])),
    cell(number(n)),
    cell(number(auroc)),
  );
}

const cell = (...parts) => el("td", { class: "number" }, el("bdi", { dir: "ltr" }, parts.filter(Boolean).join(" ")));
const labelOf = (kind, name) => (has(`${kind}.${name}`) ? t(`${kind}.${name}`) : name);
const tenths = (share) => (Number.isFinite(share) ? percent(share, false, 1) : "–");

byId("origin").textContent = site.service ? location.origin : "http://127.0.0.1:8000";
byId("samples").addEventListener("click", async ({ target }) => {
  const button = target.closest(".sample");
  if (button) (await import("./demo.js")).checkSample(button);
});
wireFileInput(
  async (files) => (await import("./demo.js")).checkOwnPicture(files),
  (key) => {
    byId("own-problem").textContent = t(key);
    byId("own-problem").hidden = false;
  },
);
byId("privacy").textContent = privacy();
const verdictModel = fetchModel();
verdictModel.then(showAccuracy).catch(() => (byId("measured-lead").textContent = t("measured.failed")));
const ignore = () => {}; // the failure is shown above
verdictModel.then(() => drawStaticFigure(verdictModel).catch(console.warn), ignore); // on failure the section stays hidden
// Without a service to fall back on, load the model in advance, which also makes it available offline.
if (site.private && !site.service && !navigator.connection?.saveData) {
  (globalThis.requestIdleCallback ?? setTimeout)(() => preloadModels().catch(console.warn));
}

function privacy() {
  return t(privacyKey(site.private), { host: location.host });
}

async function preloadModels() {
  const { spec } = await (await import("./private/client.js")).load();
  await (await import("./private/illustrated-network.js")).cacheIllustratedNetwork(spec.files["model.onnx"]);
}
