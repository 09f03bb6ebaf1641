// @ts-nocheck
// Port of Pillow's resampling (libImaging/Resample.c, Reduce.c): the same filters, fixed-point coefficients and rounding
// to 8 bits between the two passes, so that the model gets bit-identical input to Python's.

const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);
const WHOLE_BYTES = 8 << 20; // at 4 bytes per pixel

const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

// name -> [support radius, filter function]
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
 * Per output position (of `to`): index of the first input, number of inputs, fixed-point weights. The last of the `from`
 * inputs may be partial: together they span `span`.
 */
function coefficients(from, span, to, filter) {
  if (from === to && span === to) return null; // same size
  const [width, curve] = FILTERS[filter];
  const scale = Math.fround(span) / to; // Pillow's box is in single precision
  const stretch = Math.max(scale, 1); // widen the filter when shrinking, against aliasing
  const support = width * stretch;
  const most = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * most);
  for (let place = 0; place < to; place++) {
    const centre = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const curveValues = [];
    let total = 0;
    for (let x = start; x < end; x++) {
      const weight = curve((x - centre + 0.5) * (1 / stretch));
      curveValues.push(weight);
      total += weight;
    }
    first[place] = start;
    count[place] = end - start;
    curveValues.forEach((weight, i) => {
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

/** Reduction factor (`reducing_gap` of Image.resize): how many pixels are averaged into one before filtering. */
const factor = (from, to, gap) => (gap && Math.trunc(from / to / gap)) || 1;

/** Averages cells of `across` x `down` pixels row by row; cells at the right and bottom edge may be partial. */
class Reducer {
  constructor(width, across, down) {
    Object.assign(this, { width, across, down });
    this.cells = Math.ceil(width / across);
    this.sums = new Uint32Array(this.cells * 3);
    this.row = new Uint8Array(this.cells * 4);
    this.rowCount = 0; // rows in `sums`
  }

  /** `row`: 4 bytes per pixel. -> whether the cells are complete. */
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
    this.rowCount += 1;
    return this.rowCount === this.down;
  }

  /** The cells' means, 4 bytes each; resets for the next row of cells. */
  means() {
    const { sums, row, cells, across, width, rowCount } = this;
    for (let cell = 0; cell < cells; cell++) {
      const count = rowCount * Math.min(across, width - cell * across);
      const share = Math.trunc(Math.fround(2 ** 32 / Math.fround(256 * count)));
      for (let channel = 0; channel < 3; channel++) {
        row[4 * cell + channel] = Math.imul(sums[3 * cell + channel] + (count >> 1), share) >>> 24;
      }
    }
    sums.fill(0);
    this.rowCount = 0;
    return row;
  }
}

/**
 * Resizes a picture from strips of rows as they are decoded, so that the whole picture is never in memory.
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
    // Which pass Pillow 13 runs first, found by comparison (tests/e2e/test_golden.py): the order affects the rounding
    // between the two. Large pictures that are not reduced are resized horizontally first, strip by strip
    // (model/preprocess.py).
    const whole = this.reducer !== null || 4 * width * height <= WHOLE_BYTES;
    this.downFirst = whole && this.down !== null && height - toHeight > 2 * Math.max(0, width - toWidth);
    this.filled = 0; // rows received
    if (this.downFirst) this.sums = new Int32Array(toHeight * width * 3).fill(HALF);
    else this.rows = new Uint8Array(height * toWidth * 3);
  }

  /** Add the next `count` rows, 4 bytes per pixel; alpha is ignored. */
  push(rgba, count) {
    const { reducer, rowBytes } = this;
    for (let y = 0; y < count; y++) {
      const row = rgba.subarray(y * rowBytes, (y + 1) * rowBytes);
      if (!reducer) this.addRow(row);
      else if (reducer.add(row)) this.addRow(reducer.means());
    }
  }

  addRow(row) {
    if (this.downFirst) this.accumulateDown(row);
    else this.shrinkAcross(row, 4, this.rows, this.filled * this.toWidth * 3);
    this.filled += 1;
  }

  /** The resized picture: toHeight x toWidth x 3 bytes, RGB. */
  finish() {
    if (this.reducer?.rowCount) this.addRow(this.reducer.means()); // the partial last row of cells
    if (!this.downFirst) return this.down ? this.shrinkDown() : this.rows;
    const { width, toWidth, toHeight } = this;
    const low = Uint8Array.from(this.sums, clip8);
    if (!this.across) return low;
    const small = new Uint8Array(toHeight * toWidth * 3);
    for (let y = 0; y < toHeight; y++) this.shrinkAcross(low.subarray(y * width * 3, (y + 1) * width * 3), 3, small, y * toWidth * 3);
    return small;
  }

  /** Resize one row of `step` bytes per pixel into `to`, from index `out`. */
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

  /** Vertical pass over all rows, after the horizontal one. */
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

  /** Vertical pass first: add row number `filled` to the sums of every output row that it contributes to. */
  accumulateDown(row) {
    const { down, sums, toHeight, width, filled } = this;
    this.firstOpen ??= 0; // first output row that still takes input
    while (this.firstOpen < toHeight && down.first[this.firstOpen] + down.count[this.firstOpen] <= filled) this.firstOpen += 1;
    for (let y = this.firstOpen; y < toHeight && down.first[y] <= filled; y++) {
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
