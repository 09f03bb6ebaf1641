// Detects pictures of (nearly) one colour, which have nothing to judge (port of model/blank.py). Rows arrive in strips.

const GRID = 64;
const MAX_DIFFERENCE = 8;
const MIN_SHARE = 0.98;

export class BlankReader {
  constructor(width, height) {
    this.width = width;
    this.stepX = Math.max(1, Math.floor(width / GRID));
    this.stepY = Math.max(1, Math.floor(height / GRID));
    this.row = 0;
    this.channels = [[], [], []];
  }

  /** @param {Uint8Array | Uint8ClampedArray} rgba 4 bytes per pixel @param {number} count rows in `rgba` */
  push(rgba, count) {
    for (let y = 0; y < count; y++, this.row++) {
      if (this.row % this.stepY) continue;
      for (let x = 0; x < this.width; x += this.stepX) {
        for (let c = 0; c < 3; c++) this.channels[c].push(rgba[4 * (y * this.width + x) + c]);
      }
    }
  }

  /** @returns {boolean} whether the picture is blank */
  finish() {
    const count = this.channels[0].length;
    const median = this.channels.map((values) => values.toSorted((a, b) => a - b)[count >> 1]);
    let closeToMedian = 0;
    for (let i = 0; i < count; i++) closeToMedian += this.channels.every((values, c) => Math.abs(values[i] - median[c]) <= MAX_DIFFERENCE) ? 1 : 0;
    return closeToMedian >= MIN_SHARE * count;
  }
}
