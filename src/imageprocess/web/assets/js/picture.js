// The picture on the page: a preview drawn into a canvas (so no blob: address is needed), and the heat map over it.

import { el } from "./dom.js";
import { isTooLarge } from "./private/sniff.js";
import { t } from "./texts.js";

const THUMB = 96; // pixels of the longer side

/** Draw `file` into `canvas`, upright, its longer side at most `longest` pixels. False where this browser cannot decode it. */
export async function drawPreview(file, canvas, longest) {
  let bitmap;
  try {
    if (await isTooLarge(file)) return false;
    bitmap = await createImageBitmap(file);
  } catch {
    return false;
  }
  drawScaled(bitmap, canvas, longest);
  bitmap.close();
  return true;
}

/** Draw `from` into `to`, small. */
export const shrink = (from, to) => drawScaled(from, to, THUMB);

/** Draw `from` into `to`, its longer side at most `longest` pixels. */
function drawScaled(from, to, longest) {
  const scale = Math.min(1, longest / Math.max(from.width, from.height));
  to.width = Math.max(1, Math.round(from.width * scale));
  to.height = Math.max(1, Math.round(from.height * scale));
  const context = to.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(from, 0, 0, to.width, to.height);
}

/** What the map's colours mean. */
export const heatLegend = () =>
  el("p", { class: "legend" }, el("span", { class: "ramp", "aria-hidden": "true" }), el("span", {}, t("heat.legend")), el("span", { class: "hint" }, t("heat.caption")));

// Dark to bright, evenly spaced from 0 to 1: readable in greyscale and by the colour-blind (model/heatmap.py's).
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

/** Draw a record's heat map into `canvas`, smoothly enlarged to `width` x `height`. */
export function drawHeat(heatmap, canvas, width, height) {
  const small = document.createElement("canvas");
  small.width = heatmap.width;
  small.height = heatmap.height;
  const pixels = new ImageData(heatmap.width, heatmap.height);
  heatmap.values.forEach((value, place) => pixels.data.set(colour(value), 4 * place));
  small.getContext("2d").putImageData(pixels, 0, 0);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, width, height);
}

function colour(value) {
  const at = Math.min(Math.max(value, 0), 1) * (RAMP.length - 1);
  const below = Math.min(Math.floor(at), RAMP.length - 2);
  const [from, to] = [RAMP[below], RAMP[below + 1]];
  return [...from.map((channel, i) => channel + (to[i] - channel) * (at - below)), 255 * Math.sqrt(value)];
}
