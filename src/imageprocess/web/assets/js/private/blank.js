// Whether there is anything in a picture to judge (model/blank.py). Rows come in strips, as they are read back.

const GRID = 64;
const NEAR = 8;
const LEAST_SHARE = 0.98;

export class BlankReader {
  constructor(width, height) {
    this.width = width;
    this.stepX = Math.max(1, Math.floor(width / GRID));
    this.stepY = Math.max(1, Math.floor(height / GRID));
    this.row = 0;
    this.channels = [[], [], []];
  }

  /** `count` rows, 4 bytes a pixel. */
  push(rgba, count) {
    for (let y = 0; y < count; y++, this.row++) {
      if (this.row % this.stepY) continue;
      for (let x = 0; x < this.width; x += this.stepX) {
        for (let c = 0; c < 3; c++) this.channels[c].push(rgba[4 * (y * this.width + x) + c]);
      }
    }
  }

  finish() {
    const count = this.channels[0].length;
    const middle = this.channels.map((values) => values.toSorted((a, b) => a - b)[count >> 1]);
    let near = 0;
    for (let i = 0; i < count; i++) near += this.channels.every((values, c) => Math.abs(values[i] - middle[c]) <= NEAR) ? 1 : 0;
    return near >= LEAST_SHARE * count;
  }
}
