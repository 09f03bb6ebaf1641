// The views that a model looks at, cut while a picture is decoded in strips: the whole, and crops at native resolution
// where there is most texture (model/views.py, to the bit).

import { Resampler } from "./resample.js";

const PLACES = [[0.5, 0.5], [0, 0], [1, 0], [0, 1], [1, 1]]; // across, down: centre, then corners
const INSET = 0.5; // a corner place lies half-way between the corner and the centre

/** To the nearest integer, halves to the even one, as Python rounds. */
function round(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
}

/** Takes the rows of a picture of `width` x `height` and gives the views that `spec` (model.json's facts) asks for. */
export class ViewCutter {
  constructor(width, height, { input, views }) {
    this.input = input;
    this.whole = new Resampler(width, height, input);
    this.wanted = views?.crops ?? 0;
    if (!this.wanted) return;
    const factor = Math.max(input.height / height, input.width / width);
    const [fullWidth, fullHeight] =
      factor > 1 ? [Math.max(input.width, round(width * factor)), Math.max(input.height, round(height * factor))] : [width, height];
    // A picture smaller than a crop is enlarged until it fits.
    this.enlarged = factor > 1 ? new Resampler(width, height, { width: fullWidth, height: fullHeight, filter: "bicubic", reducing_gap: null }) : null;
    this.fullWidth = fullWidth;
    this.crops = PLACES.map((place) => {
      const [across, down] = place.map((at) => INSET * (at - 0.5) + 0.5);
      const [left, top] = [round(across * (fullWidth - input.width)), round(down * (fullHeight - input.height))];
      return { left, top, pixels: new Uint8Array(3 * input.width * input.height) };
    });
    this.taken = 0; // rows so far
  }

  /** `rgba`: the next `count` rows, 4 bytes a pixel; alpha is not looked at. */
  push(rgba, count) {
    this.whole.push(rgba, count);
    if (!this.wanted) return;
    if (this.enlarged) this.enlarged.push(rgba, count);
    else this.copy(rgba, 4, count);
  }

  /** Rows of `step` bytes a pixel into the crops that they are part of. */
  copy(rows, step, count) {
    const { width, height } = this.input;
    for (const { left, top, pixels } of this.crops) {
      const [from, to] = [Math.max(top, this.taken), Math.min(top + height, this.taken + count)];
      for (let y = from; y < to; y++) {
        let at = ((y - this.taken) * this.fullWidth + left) * step;
        for (let out = 3 * (y - top) * width, end = out + 3 * width; out < end; out += 3, at += step) {
          pixels[out] = rows[at];
          pixels[out + 1] = rows[at + 1];
          pixels[out + 2] = rows[at + 2];
        }
      }
    }
    this.taken += count;
  }

  /** The views one after another, the whole first, then the most textured crops: V x height x width x 3 bytes. */
  finish() {
    const whole = this.whole.finish();
    if (!this.wanted) return whole;
    if (this.enlarged) {
      const full = this.enlarged.finish();
      this.copy(full, 3, full.length / (3 * this.fullWidth));
    }
    const { width, height } = this.input;
    const crops = this.crops.map(({ pixels }) => ({ pixels, texture: texture(pixels, width, height) }));
    crops.sort((a, b) => b.texture - a.texture); // stable: equals keep the order of the places
    const views = [whole, ...crops.slice(0, this.wanted).map(({ pixels }) => pixels)];
    const all = new Uint8Array(views.length * whole.length);
    views.forEach((view, i) => all.set(view, i * whole.length));
    return all;
  }
}

/** Sum of absolute differences of neighbours in the green plane, which stands for luminance. */
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
