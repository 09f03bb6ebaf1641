// Cuts a model's input views while a picture is decoded in strips: the whole picture resized, and crops at native
// resolution from its most textured places (bit-exact port of model/views.py).

import { Resampler } from "./resample.js";

const POSITIONS = [[0.5, 0.5], [0, 0], [1, 0], [0, 1], [1, 1]]; // relative x, y: centre, then corners
const INSET = 0.5; // corner positions lie half-way between corner and centre

/** Round half to even, as Python does. */
function round(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
}

/** Takes the rows of a picture of `width` x `height` and returns the views required by `spec` (model.json). */
export class ViewCutter {
  constructor(width, height, { input, views }) {
    this.input = input;
    this.whole = new Resampler(width, height, input);
    this.cropCount = views?.crops ?? 0;
    if (!this.cropCount) return;
    const factor = Math.max(input.height / height, input.width / width);
    const [fullWidth, fullHeight] =
      factor > 1 ? [Math.max(input.width, round(width * factor)), Math.max(input.height, round(height * factor))] : [width, height];
    // A picture smaller than a crop is enlarged until it fits.
    this.enlarged = factor > 1 ? new Resampler(width, height, { width: fullWidth, height: fullHeight, filter: "bicubic", reducing_gap: null }) : null;
    this.fullWidth = fullWidth;
    this.crops = POSITIONS.map((place) => {
      const [across, down] = place.map((at) => INSET * (at - 0.5) + 0.5);
      const [left, top] = [round(across * (fullWidth - input.width)), round(down * (fullHeight - input.height))];
      return { left, top, pixels: new Uint8Array(3 * input.width * input.height) };
    });
    this.rowCount = 0; // rows received
  }

  /** Add the next `count` rows, 4 bytes per pixel; alpha is ignored. */
  push(rgba, count) {
    this.whole.push(rgba, count);
    if (!this.cropCount) return;
    if (this.enlarged) this.enlarged.push(rgba, count);
    else this.copyToCrops(rgba, 4, count);
  }

  /** Copy rows of `step` bytes per pixel into the crops that contain them. */
  copyToCrops(rows, step, count) {
    const { width, height } = this.input;
    for (const { left, top, pixels } of this.crops) {
      const [from, to] = [Math.max(top, this.rowCount), Math.min(top + height, this.rowCount + count)];
      for (let y = from; y < to; y++) {
        let at = ((y - this.rowCount) * this.fullWidth + left) * step;
        for (let out = 3 * (y - top) * width, end = out + 3 * width; out < end; out += 3, at += step) {
          pixels[out] = rows[at];
          pixels[out + 1] = rows[at + 1];
          pixels[out + 2] = rows[at + 2];
        }
      }
    }
    this.rowCount += count;
  }

  /** The views: the whole picture, then the most textured crops; V x height x width x 3 bytes. */
  finish() {
    const whole = this.whole.finish();
    if (!this.cropCount) return whole;
    if (this.enlarged) {
      const full = this.enlarged.finish();
      this.copyToCrops(full, 3, full.length / (3 * this.fullWidth));
    }
    const { width, height } = this.input;
    const crops = this.crops.map(({ pixels }) => ({ pixels, texture: texture(pixels, width, height) }));
    crops.sort((a, b) => b.texture - a.texture); // stable: equal crops keep the order of POSITIONS
    const views = [whole, ...crops.slice(0, this.cropCount).map(({ pixels }) => pixels)];
    const all = new Uint8Array(views.length * whole.length);
    views.forEach((view, i) => all.set(view, i * whole.length));
    return all;
  }
}

/** Sum of absolute differences between neighbours in the green channel, a proxy for luminance. */
function texture(pixels, width, height) {
  let sum = 0;
  for (let y = 0, at = 1; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      if (x) sum += Math.abs(pixels[at] - pixels[at - 3]);
      if (y) sum += Math.abs(pixels[at] - pixels[at - 3 * width]);
    }
  }
  return sum;
}
