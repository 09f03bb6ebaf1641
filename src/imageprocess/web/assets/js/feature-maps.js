// Replaces the network figure with the feature maps of the chosen picture, computed in this browser.

import { byId, el } from "./dom.js";
import { layer, outputLayer } from "./network-figure.js";
import { features } from "./private/client.js";
import { illustratedNetwork } from "./private/illustrated-network.js";
import { percent, t } from "./i18n.js";

const SHOWN = 16; // maps per block, those with the highest variance
// Colour scale from 0 to 1, dark violet to white.
const RAMP = [[22, 18, 43], [76, 29, 149], [139, 92, 246], [221, 208, 254], [255, 255, 255]];

/** Draw the feature maps of `file`. */
export async function drawFeatureMaps(file, modelSha256) {
  const { folder } = await illustratedNetwork(modelSha256);
  const { blocks, probability, spec, pixels } = await features(file, folder);
  const { width, height } = spec.input;
  byId("network-caption").textContent = t("network.live");
  byId("map").hidden = true;
  byId("layers").replaceChildren(
    layer(t("network.input"), `${width} × ${height}`, inputCanvas(pixels, width, height)),
    ...blocks.map((block, i) =>
      layer(t("network.block", { number: i + 1 }), t("network.maps", { maps: block.maps, side: block.side }), sheet(block, i + 1)),
    ),
    layer(t("network.output"), "", outputLayer(t("network.says", { percent: percent(probability) }))),
  );
  byId("network").hidden = false;
}

/** The picture at the network's input size. */
function inputCanvas(pixels, width, height) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2], 255], 4 * i);
  const canvas = el("canvas", { width, height, role: "img", "aria-label": t("network.input") });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** The maps with the highest variance, each a button that shows it enlarged. */
function sheet(block, number) {
  const { maps, side, values } = block;
  const area = side * side;
  const all = Array.from({ length: maps }, (_, map) => ({ map, values: values.subarray(map * area, (map + 1) * area) }));
  const chosen = all.sort((a, b) => variation(b.values) - variation(a.values)).slice(0, SHOWN).sort((a, b) => a.map - b.map);
  return el(
    "div", { class: "sheet", role: "group", "aria-label": t("network.sheet", { number }) },
    chosen.map(({ map, values: mapValues }) => {
      const name = t("network.map", { map: map + 1, maps, block: number, side });
      return el("button", { type: "button", "aria-label": name, title: name, onclick: () => enlarge(mapValues, side, name) }, drawMap(mapValues, side));
    }),
  );
}

function variation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
}

/** Draw one map, scaled to its own maximum. */
function drawMap(values, side, canvas = el("canvas", { "aria-hidden": "true" })) {
  const maximum = values.reduce((most, value) => Math.max(most, value), 1e-6);
  const image = new ImageData(side, side);
  values.forEach((value, i) => image.data.set([...colour(Math.max(0, value) / maximum), 255], 4 * i));
  canvas.width = canvas.height = side;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function colour(share) {
  const at = share * (RAMP.length - 1);
  const below = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[below].map((channel, i) => channel + (RAMP[below + 1][i] - channel) * (at - below));
}

function enlarge(values, side, name) {
  const canvas = drawMap(values, side, byId("map-picture"));
  canvas.setAttribute("aria-label", name);
  byId("map-caption").textContent = name;
  byId("map").hidden = false;
}
