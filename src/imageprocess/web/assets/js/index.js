// The first page's figures: the network as bench/figure.py drew it, and the measurements that the model carries.

import { byId, el } from "./dom.js";
import { model } from "./service.js";
import { has, number, percent, t } from "./texts.js";

const FIGURES = "assets/network";

/** The network's figure; left out where none was drawn. */
async function showNetwork() {
  const response = await fetch(`${FIGURES}/network.json`);
  if (!response.ok) return;
  const { input, blocks, flat, dense, parameters } = await response.json();
  byId("network-lead").textContent = t("network.lead", { parameters: number(parameters) });
  byId("network-caption").textContent = t("network.caption", { shown: blocks[0].shown });
  byId("layers").replaceChildren(
    layer(t("network.input"), `${input.side} × ${input.side}`, sheet("scene", t("network.scene"))),
    ...blocks.map((block, i) =>
      layer(
        t("network.block", { number: i + 1 }),
        t("network.maps", { maps: block.outputs, side: block.side }),
        sheet(`block${i + 1}`, t("network.sheet", { number: i + 1 })),
      ),
    ),
    layer(t("network.output"), t("network.dense", { flat: number(flat), hidden: dense[0].outputs }), answer()),
  );
  byId("network").hidden = false;
}

const layer = (title, size, drawing) => el("div", { class: "layer" }, drawing, el("p", {}, el("b", {}, title), size));
const sheet = (name, alt) => el("img", { src: `${FIGURES}/${name}.webp`, alt, width: 288, height: 288 });
const answer = () =>
  el("div", { class: "out" }, ["ai", "real"].map((label) => el("span", { "data-label": label }, t(`network.${label}`))));

async function showMeasured() {
  let facts;
  try {
    facts = await model();
  } catch {
    byId("measured-lead").textContent = t("error.network");
    return;
  }
  const { name, version, files, measured } = facts;
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

const cell = (...parts) => el("td", { class: "number" }, parts.filter(Boolean).join(" "));
const named = (kind, name) => (has(`${kind}.${name}`) ? t(`${kind}.${name}`) : name);
const tenths = (share) => (Number.isFinite(share) ? percent(share, false, 1) : "–");

byId("origin").textContent = location.origin;
showNetwork();
showMeasured();
