// The drawing of the network, fed by a real forward pass in this browser: each block's own maps of the chosen picture.

import { byId, el } from "./dom.js";
import { answer, layer } from "./network.js";
import { features } from "./private/client.js";
import { load } from "./private/store.js";
import { percent, t } from "./texts.js";

const SHOWN = 16; // maps a block, those that vary most
// Dark violet to white, evenly spaced from 0 to 1.
const RAMP = [[22, 18, 43], [76, 29, 149], [139, 92, 246], [221, 208, 254], [255, 255, 255]];

/** The drawn network may be the very one that judges, of this `judgeSha256`. */
async function drawnNetwork(judgeSha256) {
  const { files } = await (await fetch("network/model.json")).json();
  const sha256 = files["model.onnx"];
  return { folder: sha256 === judgeSha256 ? "model/" : "network/", sha256 };
}

/** Keep the drawn network for when the network is away. */
export async function keepDrawn(judgeSha256) {
  const { folder, sha256 } = await drawnNetwork(judgeSha256);
  await load(`${folder}model.onnx`, sha256);
}

/** Draw what the blocks see in `file`. */
export async function drawLive(file, judgeSha256) {
  const { folder } = await drawnNetwork(judgeSha256);
  const { blocks, probability, spec, pixels } = await features(file, folder);
  const { width, height } = spec.input;
  byId("network-caption").textContent = t("network.live");
  byId("map").hidden = true;
  byId("layers").replaceChildren(
    layer(t("network.input"), `${width} × ${height}`, seen(pixels, width, height)),
    ...blocks.map((block, i) =>
      layer(t("network.block", { number: i + 1 }), t("network.maps", { maps: block.maps, side: block.side }), sheet(block, i + 1)),
    ),
    layer(t("network.output"), "", answer(t("network.says", { percent: percent(probability) }))),
  );
  byId("network").hidden = false;
}

/** The picture as it reaches the network. */
function seen(pixels, width, height) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2], 255], 4 * i);
  const canvas = el("canvas", { width, height, role: "img", "aria-label": t("network.input") });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** The maps that vary most, each a button that shows it large. */
function sheet(block, number) {
  const { maps, side, values } = block;
  const area = side * side;
  const all = Array.from({ length: maps }, (_, map) => ({ map, values: values.subarray(map * area, (map + 1) * area) }));
  const chosen = all.sort((a, b) => spread(b.values) - spread(a.values)).slice(0, SHOWN).sort((a, b) => a.map - b.map);
  return el(
    "div", { class: "sheet", role: "group", "aria-label": t("network.sheet", { number }) },
    chosen.map(({ map, values: found }) => {
      const name = t("network.map", { map: map + 1, maps, block: number, side });
      return el("button", { type: "button", "aria-label": name, title: name, onclick: () => enlarge(found, side, name) }, drawn(found, side));
    }),
  );
}

function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
}

/** One map on its own scale. */
function drawn(values, side, canvas = el("canvas", { "aria-hidden": "true" })) {
  const top = values.reduce((most, value) => Math.max(most, value), 1e-6);
  const image = new ImageData(side, side);
  values.forEach((value, i) => image.data.set([...colour(Math.max(0, value) / top), 255], 4 * i));
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
  const canvas = drawn(values, side, byId("map-picture"));
  canvas.setAttribute("aria-label", name);
  byId("map-caption").textContent = name;
  byId("map").hidden = false;
}
