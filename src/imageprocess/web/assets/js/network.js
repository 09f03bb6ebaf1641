// The drawing of the network: at first the still figure that bench/figure.py made; live.js draws it anew once a picture
// is chosen.

import { byId, el } from "./dom.js";
import { number, t } from "./texts.js";

const FIGURES = "assets/network";

/** The still figure; left out where none was drawn. `judge`: model.json of the model that gives the verdicts, to come. */
export async function drawStill(judge) {
  const response = await fetch(`${FIGURES}/network.json`);
  if (!response.ok) return;
  const { input, blocks, flat, dense, parameters } = await response.json();
  byId("network-lead").textContent = t("network.lead", { parameters: number(parameters) });
  byId("network-caption").textContent = t("network.caption", { shown: blocks[0].shown });
  byId("layers").replaceChildren(
    layer(t("network.input"), `${input.side} × ${input.side}`, still("scene", t("network.scene"))),
    ...blocks.map((block, i) =>
      layer(
        t("network.block", { number: i + 1 }),
        t("network.maps", { maps: block.outputs, side: block.side }),
        still(`block${i + 1}`, t("network.sheet", { number: i + 1 })),
      ),
    ),
    layer(t("network.output"), t("network.dense", { flat: number(flat), hidden: dense[0].outputs }), answer()),
  );
  byId("network").hidden = false;
  const [judging, drawn] = [await judge, await (await fetch("network/model.json")).json()];
  if (judging.files["model.onnx"] === drawn.files["model.onnx"]) return;
  byId("network-other").textContent = t("network.other", { name: judging.name, drawn: drawn.name });
  byId("network-other").hidden = false;
}

export const layer = (title, size, drawing) => el("div", { class: "layer" }, drawing, el("p", {}, el("b", {}, title), size));
const still = (name, alt) => el("img", { src: `${FIGURES}/${name}.webp`, alt, width: 288, height: 288, loading: "lazy" });
export const answer = (says) =>
  el("div", { class: "out" }, ["ai", "real"].map((label) => el("span", { "data-label": label }, t(`network.${label}`))), says && el("small", {}, says));
