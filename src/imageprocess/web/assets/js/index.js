// The first page: samples to try, the network drawn from a real forward pass, and the measurements that the model
// carries.

import { byId, el, icon } from "./dom.js";
import { evidence } from "./evidence.js";
import { meter } from "./meter.js";
import { drawLive, drawStill } from "./network.js";
import { site } from "./site.js";
import { has, number, percent, t } from "./texts.js";
import { browser, service } from "./witnesses.js";
import { failure, headline, reason } from "./wording.js";

const witness = site.private ? browser : service;

async function tryOne(button) {
  for (const other of byId("samples").children) other.setAttribute("aria-pressed", other === button);
  const shown = byId("tried");
  shown.hidden = false;
  shown.replaceChildren(el("p", { class: "hint" }, t("try.looking")));
  const name = button.dataset.file;
  try {
    const file = new File([await (await fetch(`assets/samples/${name}`)).blob()], name);
    await witness.load();
    const { record } = await witness.check(file, { mode: "balanced", signal: new AbortController().signal });
    if (button.getAttribute("aria-pressed") !== "true") return; // another was chosen meanwhile
    shown.replaceChildren(...(record.status === "ok" ? told(record) : [el("p", { class: "warning" }, failure(record.error))]));
    if (site.private) await drawLive(file, record.model);
  } catch (error) {
    shown.replaceChildren(el("p", { class: "warning" }, error.code ? failure(error) : t("load.failed", { why: error.message })));
  }
}

function told(record) {
  const { label } = record.verdict;
  return [
    el(
      "div", { "data-label": label },
      el("h3", { class: "verdict" }, icon(label), headline(record)),
      meter(record),
      el("p", {}, reason(record)),
      el("p", { class: "hint" }, site.private ? el("a", { href: "#network" }, t("try.network")) : t("try.sent")),
    ),
    evidence(record),
  ];
}

async function showMeasured() {
  const { name, version, files, measured } = await (await fetch("model/model.json")).json();
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
    cell(number(n)),
    cell(tenths(right), intervals?.accuracy && `(${intervals.accuracy.map(tenths).join(" – ")})`),
    cell(tenths(figures["fpr@balanced"])),
    cell(tenths(1 - figures["coverage@balanced"])),
    cell(number(auroc)),
  );
}

const cell = (...parts) => el("td", { class: "number" }, el("bdi", { dir: "ltr" }, parts.filter(Boolean).join(" ")));
const named = (kind, name) => (has(`${kind}.${name}`) ? t(`${kind}.${name}`) : name);
const tenths = (share) => (Number.isFinite(share) ? percent(share, false, 1) : "–");

byId("origin").textContent = site.service ? location.origin : "http://127.0.0.1:8000";
byId("samples").addEventListener("click", ({ target }) => {
  const button = target.closest(".sample");
  if (button) tryOne(button);
});
showMeasured();
drawStill();
// Where there is no service to fall back on, be ready, and be so without a network next time.
if (site.private && !site.service && !navigator.connection?.saveData) {
  (globalThis.requestIdleCallback ?? setTimeout)(() => browser.load().catch(() => {}));
}
