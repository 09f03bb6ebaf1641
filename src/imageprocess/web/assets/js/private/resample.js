// @ts-nocheck
// Pillow's resampling, ported: the same filters, the same fixed-point coefficients, the same rounding to 8 bits between
// the two passes, so that the network sees the very numbers that it sees in Python (libImaging/Resample.c, Reduce.c).

const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);
const WHOLE_BYTES = 8 << 20; // at four a pixel

const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

// name -> [half the width of its support, the curve]
const FILTERS = {
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  bicubic: [2, bicubic],
  lanczos: [3, (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

function bicubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/**
 * For each of `to` output places: where its inputs begin, how many there are, and their weights in fixed point. Of the
 * `from` inputs the last may be cut: together they are `span` long.
 */
function coefficients(from, span, to, filter) {
  if (from === to && span === to) return null; // nothing to do
  const [width, curve] = FILTERS[filter];
  const scale = Math.fround(span) / to; // Pillow has its box in single precision
  const stretch = Math.max(scale, 1); // a filter widens when it shrinks: no aliasing
  const support = width * stretch;
  const most = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * most);
  for (let place = 0; place < to; place++) {
    const centre = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const found = [];
    let total = 0;
    for (let x = start; x < end; x++) {
      const weight = curve((x - centre + 0.5) * (1 / stretch));
      found.push(weight);
      total += weight;
    }
    first[place] = start;
    count[place] = end - start;
    found.forEach((weight, i) => {
      const share = (total === 0 ? weight : weight / total) * (1 << PRECISION_BITS);
      weights[place * most + i] = Math.trunc(share + (share < 0 ? -0.5 : 0.5));
    });
  }
  return { first, count, weights, most };
}

const clip8 = (sum) => {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
};

/** How many places become one by their mean, before the filter (Image.resize). */
const factor = (from, to, gap) => (gap && Math.trunc(from / to / gap)) || 1;

/** Means of cells of `across` x `down` pixels, those at the right and at the bottom perhaps cut; row by row. */
class Reducer {
  constructor(width, across, down) {
    Object.assign(this, { width, across, down });
    this.cells = Math.ceil(width / across);
    this.sums = new Uint32Array(this.cells * 3);
    this.row = new Uint8Array(this.cells * 4);
    this.taken = 0; // rows in the sums
  }

  /** `row`: 4 bytes a pixel. -> whether the cells are full. */
  add(row) {
    const { sums, across, width } = this;
    for (let to = 0, at = 0; to < sums.length; to += 3) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (const end = Math.min(at + 4 * across, 4 * width); at < end; at += 4) {
        red += row[at];
        green += row[at + 1];
        blue += row[at + 2];
      }
      sums[to] += red;
      sums[to + 1] += green;
      sums[to + 2] += blue;
    }
    this.taken += 1;
    return this.taken === this.down;
  }

  /** The cells' means, 4 bytes each; the next row begins new cells. */
  means() {
    const { sums, row, cells, across, width, taken } = this;
    for (let cell = 0; cell < cells; cell++) {
      const count = taken * Math.min(across, width - cell * across);
      const share = Math.trunc(Math.fround(2 ** 32 / Math.fround(256 * count)));
      for (let channel = 0; channel < 3; channel++) {
        row[4 * cell + channel] = Math.imul(sums[3 * cell + channel] + (count >> 1), share) >>> 24;
      }
    }
    sums.fill(0);
    this.taken = 0;
    return row;
  }
}

/**
 * Takes the rows of a picture as they are decoded, a strip at a time, and gives the small picture at the end: the
 * picture is never held whole.
 */
export class Resampler {
  constructor(width, height, { width: toWidth, height: toHeight, filter, reducing_gap: gap }) {
    const across = factor(width, toWidth, gap);
    const down = factor(height, toHeight, gap);
    this.reducer = across * down > 1 ? new Reducer(width, across, down) : null;
    this.rowBytes = width * 4;
    const spans = [width / across, height / down];
    [width, height] = spans.map(Math.ceil);
    Object.assign(this, { width, height, toWidth, toHeight });
    this.across = coefficients(width, spans[0], toWidth, filter);
    this.down = coefficients(height, spans[1], toHeight, filter);
    // Which pass Pillow 13 begins with, found by comparing with it (tests/e2e/test_golden.py): the order shows in the
    // rounding between the two. Large pictures that are not reduced are resized across first, strip by strip
    // (model/preprocess.py).
    const whole = this.reducer !== null || 4 * width * height <= WHOLE_BYTES;
    this.downFirst = whole && this.down !== null && height - toHeight > 2 * Math.max(0, width - toWidth);
    this.filled = 0; // rows so far
    if (this.downFirst) this.sums = new Int32Array(toHeight * width * 3).fill(HALF);
    else this.rows = new Uint8Array(height * toWidth * 3);
  }

  /** `rgba`: the next `count` rows, 4 bytes a pixel; alpha is not looked at. */
  push(rgba, count) {
    const { reducer, rowBytes } = this;
    for (let y = 0; y < count; y++) {
      const row = rgba.subarray(y * rowBytes, (y + 1) * rowBytes);
      if (!reducer) this.take(row);
      else if (reducer.add(row)) this.take(reducer.means());
    }
  }

  take(row) {
    if (this.downFirst) this.addDown(row);
    else this.shrinkAcross(row, 4, this.rows, this.filled * this.toWidth * 3);
    this.filled += 1;
  }

  /** (toHeight x toWidth x 3) bytes, red, green, blue. */
  finish() {
    if (this.reducer?.taken) this.take(this.reducer.means()); // what is left at the bottom
    if (!this.downFirst) return this.down ? this.shrinkDown() : this.rows;
    const { width, toWidth, toHeight } = this;
    const low = Uint8Array.from(this.sums, clip8);
    if (!this.across) return low;
    const small = new Uint8Array(toHeight * toWidth * 3);
    for (let y = 0; y < toHeight; y++) this.shrinkAcross(low.subarray(y * width * 3, (y + 1) * width * 3), 3, small, y * toWidth * 3);
    return small;
  }

  /** One row of `step` bytes a pixel -> `to`, from place `out` on. */
  shrinkAcross(row, step, to, out) {
    const { across, toWidth } = this;
    for (let x = 0; x < toWidth; x++, out += 3) {
      if (!across) {
        for (let channel = 0; channel < 3; channel++) to[out + channel] = row[x * step + channel];
        continue;
      }
      const weight = x * across.most;
      let at = step * across.first[x];
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let i = weight, end = weight + across.count[x]; i < end; i++, at += step) {
        const k = across.weights[i];
        red = (red + Math.imul(row[at], k)) | 0;
        green = (green + Math.imul(row[at + 1], k)) | 0;
        blue = (blue + Math.imul(row[at + 2], k)) | 0;
      }
      to[out] = clip8(red);
      to[out + 1] = clip8(green);
      to[out + 2] = clip8(blue);
    }
  }

  /** All rows, already narrow -> the small picture. */
  shrinkDown() {
    const { rows, toWidth, toHeight, down } = this;
    const stride = toWidth * 3;
    const small = new Uint8Array(toHeight * stride);
    const sums = new Int32Array(stride);
    for (let y = 0; y < toHeight; y++) {
      sums.fill(HALF);
      for (let i = 0; i < down.count[y]; i++) {
        const k = down.weights[y * down.most + i];
        const from = (down.first[y] + i) * stride;
        for (let x = 0; x < stride; x++) sums[x] += Math.imul(rows[from + x], k);
      }
      for (let x = 0; x < stride; x++) small[y * stride + x] = clip8(sums[x]);
    }
    return small;
  }

  /** Row number `filled` into the sums of every output row that it is part of. */
  addDown(row) {
    const { down, sums, toHeight, width, filled } = this;
    this.begun ??= 0; // the first output row that still takes input
    while (this.begun < toHeight && down.first[this.begun] + down.count[this.begun] <= filled) this.begun += 1;
    for (let y = this.begun; y < toHeight && down.first[y] <= filled; y++) {
      const i = filled - down.first[y];
      if (i >= down.count[y]) continue;
      const k = down.weights[y * down.most + i];
      for (let x = 0, to = y * width * 3; x < width * 4; x += 4, to += 3) {
        sums[to] += Math.imul(row[x], k);
        sums[to + 1] += Math.imul(row[x + 1], k);
        sums[to + 2] += Math.imul(row[x + 2], k);
      }
    }
  }
}
