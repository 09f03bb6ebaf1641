// Decodes a file into the model's input views as decode/decode.py and model/views.py do: upright, over white, colour
// profile ignored, resampled as Pillow does. The browser decodes only; it never scales.

import { BlankReader } from "./blank.js";
import { MIME } from "./sniff.js";
import { readTiff } from "./tiff.js";
import { ViewCutter } from "./views.js";
import { WatermarkReader, readStealth } from "./watermark.js";

const STRIP_PIXELS = 4_000_000; // read back from the canvas at a time

export class DecodeError extends Error {}

/**
 * @param {Uint8Array} data the file without its EXIF orientation (AVIF keeps orientation in its container, and the browser
 * applies it) @param {string} format @param {number} orientation 1 to 8 @param {object} spec the model's
 * @param {{width: number, height: number} | null} reduced size at which to decode a huge picture
 * @returns pixels (views x height x width x 3), upright width and height, what watermark.js found (mark, hidden), and
 * whether the picture is blank. Throws a DecodeError.
 */
export async function decode(data, format, orientation, spec, reduced = null) {
  const bitmap = await open(data, format, reduced);
  try {
    const rotation = format === "AVIF" ? 1 : orientation;
    const result = read(bitmap, rotation, spec);
    // Hidden texts do not survive rotation or lossy formats.
    const hidden = rotation === 1 && format !== "JPEG" ? await readStealth(result.width, result.height, columnsOf(bitmap)) : null;
    return { ...result, hidden };
  } finally {
    bitmap.close();
  }
}

/** `reduced`: {width, height} to decode a huge picture at, else null. */
async function open(data, format, reduced) {
  const size = reduced && { resizeWidth: reduced.width, resizeHeight: reduced.height, resizeQuality: "medium" };
  /** @type {any} */
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none", ...size };
  try {
    const source = format === "TIFF" ? await readTiff(data) : new Blob([data], { type: MIME[format] });
    return await createImageBitmap(source, options);
  } catch (error) {
    throw new DecodeError(String(error.message ?? error));
  }
}

function read(bitmap, orientation, spec) {
  const [width, height] = orientation >= 5 ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
  const cutter = new ViewCutter(width, height, spec);
  const watermark = new WatermarkReader(width, height);
  const blank = new BlankReader(width, height);
  const rows = Math.max(8, Math.floor(STRIP_PIXELS / width / 8) * 8); // whole rows of the watermark's blocks
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    const rgba = strip(bitmap, orientation, top, count, width);
    cutter.push(rgba, count);
    watermark.push(rgba, count);
    blank.push(rgba, count);
  }
  return { pixels: cutter.finish(), width, height, mark: watermark.finish(), blank: blank.finish() };
}

/** The whole picture, upright, over white: height x width x 3 bytes. */
export async function rgb(data, format, orientation) {
  const bitmap = await open(data, format);
  try {
    const rotation = format === "AVIF" ? 1 : orientation;
    const [width, height] = rotation >= 5 ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
    const pixels = new Uint8Array(3 * width * height);
    const rows = Math.max(1, Math.floor(STRIP_PIXELS / width));
    for (let top = 0, to = 0; top < height; top += rows) {
      const rgba = strip(bitmap, rotation, top, Math.min(rows, height - top), width);
      for (let from = 0; from < rgba.length; from += 4, to += 3) {
        pixels[to] = rgba[from];
        pixels[to + 1] = rgba[from + 1];
        pixels[to + 2] = rgba[from + 2];
      }
    }
    return pixels;
  } finally {
    bitmap.close();
  }
}

/**
 * Rows `top` to `top + count` of the upright picture, 4 bytes per pixel, over white. The canvas only copies: rotating on
 * a canvas is not pixel-exact.
 */
function strip(bitmap, orientation, top, count, width) {
  const isTransposed = orientation >= 5;
  const flipX = [2, 3, 7, 8].includes(orientation);
  const flipY = [3, 4, 6, 7].includes(orientation);
  const { width: w, height: h } = bitmap;
  const region = isTransposed
    ? { x: flipX ? w - top - count : top, y: 0, width: count, height: h }
    : { x: 0, y: flipY ? h - top - count : top, width: w, height: count };
  const canvas = new OffscreenCanvas(region.width, region.height);
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, region.width, region.height);
  context.drawImage(bitmap, -region.x, -region.y);
  const { data } = context.getImageData(0, 0, region.width, region.height);
  if (orientation === 1) return data;
  const from = new Uint32Array(data.buffer);
  const to = new Uint32Array(count * width);
  for (let y = 0; y < count; y++) {
    for (let x = 0; x < width; x++) {
      const rawX = isTransposed ? (flipX ? count - 1 - y : y) : flipX ? w - 1 - x : x;
      const rawY = isTransposed ? (flipY ? h - 1 - x : x) : flipY ? count - 1 - y : y;
      to[y * width + x] = from[rawY * region.width + rawX];
    }
  }
  return new Uint8Array(to.buffer);
}

/** Returns a reader of columns of the picture as stored: colours over white ("rgb"), or the alpha channel ("alpha"). */
const columnsOf = (bitmap) => (place, from, to) => {
  const canvas = new OffscreenCanvas(Math.max(1, to - from), bitmap.height);
  const context = canvas.getContext("2d", { alpha: place === "alpha", willReadFrequently: true });
  if (place === "rgb") {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.drawImage(bitmap, -from, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
};

/**
 * Whether the browser returns the pixels that were drawn, through the same bitmap and canvas calls as a picture. Some add
 * noise against fingerprinting, which would change the model's input.
 */
export async function isFaithful() {
  const side = 64;
  const drawn = new ImageData(side, side);
  let state = 1;
  for (let i = 0; i < drawn.data.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    drawn.data[i] = i % 4 === 3 ? 255 : state >> 16;
  }
  const bitmap = await createImageBitmap(drawn);
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const readBack = context.getImageData(0, 0, side, side).data;
  return drawn.data.every((value, i) => value === readBack[i]);
}
