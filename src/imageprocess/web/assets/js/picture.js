// Draws previews into canvases (so that no blob: URL is needed), and heat maps over them.

import { el } from "./dom.js";
import { isTooLarge } from "./private/sniff.js";
import { t } from "./i18n.js";

const THUMBNAIL_SIDE = 96; // pixels

/** Draw `file` into `canvas`, upright, its longer side at most `maxSide` pixels. False where this browser cannot decode it. */
export async function drawPreview(file, canvas, maxSide) {
  let bitmap;
  try {
    if (await isTooLarge(file)) return false;
    bitmap = await createImageBitmap(file);
  } catch {
    return false;
  }
  drawScaled(bitmap, canvas, maxSide);
  bitmap.close();
  return true;
}

/** Draw `from` into `to` as a thumbnail. */
export const drawThumbnail = (from, to) => drawScaled(from, to, THUMBNAIL_SIDE);

/** Draw `from` into `to`, its longer side at most `maxSide` pixels. */
function drawScaled(from, to, maxSide) {
  const scale = Math.min(1, maxSide / Math.max(from.width, from.height));
  to.width = Math.max(1, Math.round(from.width * scale));
  to.height = Math.max(1, Math.round(from.height * scale));
  const context = to.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(from, 0, 0, to.width, to.height);
}

/** The legend of the heat map's colours. */
export const heatLegend = () =>
  el("p", { class: "legend" }, el("span", { class: "ramp", "aria-hidden": "true" }), el("span", {}, t("heat.legend")), el("span", { class: "hint" }, t("heat.caption")));

// Colour scale from 0 to 1 (as model/heatmap.py), readable in greyscale and with colour blindness.
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

/** Draw a record's heat map into `canvas`, enlarged to `width` x `height`. */
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
