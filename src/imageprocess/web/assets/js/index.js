// The first page: samples to try, the network drawn, and the measurements that the model carries.

import { byId, el } from "./dom.js";
import { wireIntake } from "./intake.js";
import { drawStill } from "./network.js";
import { site } from "./site.js";
import { has, number, percent, privacyOf, t } from "./texts.js";

/** What the model that judges says of itself. */
async function fetchJudge() {
  const response = await fetch("model/model.json", { cache: "no-cache" });
  if (!response.ok) throw new Error(`model/model.json: ${response.status}`);
  return response.json();
}

async function showMeasured({ name, version, files, measured }) {
  byId("model-line").textContent = t("model.line", { name, version, sha: files["model.onnx"].slice(0, 12) });
  if (!measured) {
    byId("measured-lead").textContent = t("measured.none");
    return;
  }
  byId("measured-lead").textContent = t("measured.lead", { name, version, date: measured.date, data: measured.data_id });
  byId("measured-rows").replaceChildren(...Object.entries(measured.splits).flatMap(rows));
  byId("measured").hidden = byId("measured-note").hidden = false;
}

/** A split holds one tier's figures, and names it, or several by their names. */
function rows([split, found]) {
  const tiers = "tier" in found ? [[found.tier, found]] : Object.entries(found);
  return tiers.map(([tier, figures]) => row(split, tier, figures));
}

function row(split, tier, figures) {
  const { n, intervals, auroc } = figures;
  const right = figures.accuracy ?? figures.balanced_accuracy;
  return el(
    "tr", {},
    el("th", { scope: "row" }, named("split", split), el("span", { class: "hint" }, ` ${named("tier", tier)}`)),
    cell(tenths(right), intervals?.accuracy && `(${intervals.accuracy.map(tenths).join(" – ")})`),
    cell(tenths(figures["fpr@balanced"])),
    cell(tenths(1 - figures["coverage@balanced"])),
    cell(number(n)),
    cell(number(auroc)),
  );
}

const cell = (...parts) => el("td", { class: "number" }, el("bdi", { dir: "ltr" }, parts.filter(Boolean).join(" ")));
const named = (kind, name) => (has(`${kind}.${name}`) ? t(`${kind}.${name}`) : name);
const tenths = (share) => (Number.isFinite(share) ? percent(share, false, 1) : "–");

byId("origin").textContent = site.service ? location.origin : "http://127.0.0.1:8000";
byId("samples").addEventListener("click", async ({ target }) => {
  const button = target.closest(".sample");
  if (button) (await import("./try.js")).trySample(button);
});
wireIntake(
  async (files) => (await import("./try.js")).tryOwn(files),
  (key) => {
    byId("own-problem").textContent = t(key);
    byId("own-problem").hidden = false;
  },
);
byId("privacy").textContent = privacy();
const judge = fetchJudge();
judge.then(showMeasured).catch(() => (byId("measured-lead").textContent = t("measured.failed")));
const untold = () => {}; // that the model's facts did not come is said above
judge.then(() => drawStill(judge).catch(console.warn), untold); // its section stays hidden
// Where there is no service to fall back on, be ready, and be so without a network next time.
if (site.private && !site.service && !navigator.connection?.saveData) {
  (globalThis.requestIdleCallback ?? setTimeout)(() => prepare().catch(console.warn));
}

function privacy() {
  return t(privacyOf(site.private), { host: location.host });
}

async function prepare() {
  const { spec } = await (await import("./private/client.js")).load();
  await (await import("./live.js")).keepDrawn(spec.files["model.onnx"]);
}
