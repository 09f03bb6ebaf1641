// The figure of the illustrated network: at first static images made by bench/figure.py; feature-maps.js redraws it for a
// chosen picture.

import { byId, el } from "./dom.js";
import { number, t } from "./i18n.js";

const FIGURES = "assets/network";

/** Draw the static figure. `verdictModel`: promise of model.json of the model that gives the verdicts. */
export async function drawStaticFigure(verdictModel) {
  const response = await fetch(`${FIGURES}/network.json`);
  if (!response.ok) return;
  const { input, blocks, flat, dense, parameters } = await response.json();
  byId("network-lead").textContent = t("network.lead", { parameters: number(parameters) });
  byId("network-caption").textContent = t("network.caption", { shown: blocks[0].shown });
  byId("layers").replaceChildren(
    layer(t("network.input"), `${input.side} × ${input.side}`, figureImage("scene", t("network.scene"))),
    ...blocks.map((block, i) =>
      layer(
        t("network.block", { number: i + 1 }),
        t("network.maps", { maps: block.outputs, side: block.side }),
        figureImage(`block${i + 1}`, t("network.sheet", { number: i + 1 })),
      ),
    ),
    layer(t("network.output"), t("network.dense", { flat: number(flat), hidden: dense[0].outputs }), outputLayer()),
  );
  byId("network").hidden = false;
  const [judging, drawn] = [await verdictModel, await (await fetch("network/model.json")).json()];
  if (judging.files["model.onnx"] === drawn.files["model.onnx"]) return;
  byId("network-other").textContent = t("network.other", { name: judging.name, drawn: drawn.name });
  byId("network-other").hidden = false;
}

export const layer = (title, size, image) => el("div", { class: "layer" }, image, el("p", {}, el("b", {}, title), size));
const figureImage = (name, alt) => el("img", { src: `${FIGURES}/${name}.webp`, alt, width: 288, height: 288, loading: "lazy" });
export const outputLayer = (text) =>
  el("div", { class: "out" }, ["ai", "real"].map((label) => el("span", { "data-label": label }, t(`network.${label}`))), text && el("small", {}, text));
