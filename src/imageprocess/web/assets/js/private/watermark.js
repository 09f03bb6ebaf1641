// @ts-nocheck
// Reads watermarks that generators hide in the pixels (port of imageprocess/watermark): the open `dwtDct` watermark, and
// NovelAI's stealth record. Finding none proves nothing.

import { readGenerators } from "./generators.js";
import { latin1, utf8 } from "./bytes.js";
import { evidence } from "./statements.js";
import { collect } from "./texts.js";

const STEP = 36;
const MIN_PIXELS = 256 * 256; // smaller pictures are not marked
const MAX_BLOCKS = 65_536; // enough votes
const VARIANTS = 3;

const bitsOfText = (text) => [...text].flatMap((c) => bitsOfNumber(BigInt(c.charCodeAt(0)), 8));
const bitsOfNumber = (value, bits) => Array.from({ length: bits }, (_, i) => Number((value >> BigInt(bits - 1 - i)) & 1n));

// [generator, bits, wrong bits allowed]
const PAYLOADS = [
  ["Stable Diffusion 1", bitsOfText("StableDiffusionV1"), 11],
  ["Stable Diffusion 2", bitsOfText("SDV2"), 1],
  ["Stable Diffusion XL", bitsOfNumber(0xb3ec907bb19en, 48), 4],
  ["Flux", bitsOfNumber(0x2afe879cf52en, 48), 4],
  ["Flux", bitsOfNumber(0x2afe879cf52en, 46), 3], // its own code drops the two leading zeros
];

/** Reads the dwtDct watermark from the rows of the upright picture, in multiples of 8. */
export class WatermarkReader {
  constructor(width, height) {
    this.wide = Math.floor(width / 8);
    this.width = width;
    const rows = Math.min(Math.floor(height / 8) * 8, Math.max(8, Math.floor(MAX_BLOCKS / Math.max(1, this.wide)) * 8));
    this.blockRows = width * height < MIN_PIXELS ? 0 : rows / 8;
    this.done = 0; // rows of blocks read
    this.bands = Array.from({ length: VARIANTS }, () => new Float32Array(16)); // coefficients of the current block
    this.votes = Array.from({ length: VARIANTS }, () => new Uint8Array(this.blockRows * this.wide));
  }

  push(rgba, count) {
    for (let top = 0; top + 8 <= count && this.done < this.blockRows; top += 8, this.done++) {
      for (let x = 0; x < this.wide; x++) this.readBlock(rgba, top, 8 * x, this.done * this.wide + x);
    }
  }

  /** The 4x4 coefficients and votes of one block, for each variant of the U channel that writers used. */
  readBlock(rgba, top, left, place) {
    const { bands } = this;
    for (let i = 0; i < 16; i++) {
      let [red, green, blue, rounded] = [0, 0, 0, 0];
      for (let j = 0; j < 4; j++) {
        const at = 4 * ((top + 2 * (i >> 2) + (j >> 1)) * this.width + left + 2 * (i & 3) + (j & 1));
        const [r, g, b] = [rgba[at], rgba[at + 1], rgba[at + 2]];
        red += r;
        green += g;
        blue += b;
        const luma = (4899 * r + 9617 * g + 1868 * b + 8192) >> 14; // OpenCV's fixed point
        rounded += Math.min(255, Math.max(0, ((b - luma) * 8061 + (128 << 14) + 8192) >> 14));
      }
      bands[0][i] = rounded / 2; // Stable Diffusion 1 and 2: 8-bit images
      bands[1][i] = 0.492 * (blue / 2 - (0.299 * red + 0.587 * green + 0.114 * blue) / 2) + 1; // XL, Flux
      bands[2][i] = 0.492 * (red / 2 - (0.299 * blue + 0.587 * green + 0.114 * red) / 2) + 1; // red and blue swapped
    }
    for (let variant = 0; variant < VARIANTS; variant++) this.votes[variant][place] = vote(bands[variant]);
  }

  /** {generator, bits, wrong, blocks}, or null if no watermark is found. */
  finish() {
    if (!this.blockRows) return null;
    for (const votes of this.votes) {
      for (const [generator, bits, maxWrong] of PAYLOADS) {
        const ones = new Array(bits.length).fill(0);
        const all = new Array(bits.length).fill(0);
        votes.forEach((one, i) => {
          ones[i % bits.length] += one;
          all[i % bits.length] += 1;
        });
        const wrong = bits.filter((bit, i) => bit !== (2 * ones[i] > all[i] ? 1 : 0)).length;
        if (wrong <= maxWrong) return { generator, bits: bits.length, wrong, blocks: votes.length };
      }
    }
    return null;
  }
}

/** The coefficient that differs most from the block's mean carries the bit; the first is ignored. */
function vote(band) {
  let mean = 0;
  for (let i = 1; i < 16; i++) mean += band[i] / 15;
  let outlier = band[1];
  for (let i = 2; i < 16; i++) if (Math.abs(band[i] - mean) > Math.abs(outlier - mean)) outlier = band[i];
  return Math.abs(outlier) % STEP > STEP / 2 ? 1 : 0;
}

const SIGNATURES = {
  stealth_pnginfo: "alpha", stealth_pngcomp: "alpha", stealth_rgbinfo: "rgb", stealth_rgbcomp: "rgb",
};
const HEADER_BYTES = 15 + 4; // signature, and length of the text in bits
const MAX_TEXT_BYTES = 1_000_000;

/** -> {place, text} or null. `columns(place, from, to)` returns those columns row by row, 4 bytes per pixel. */
export async function readStealth(width, height, columns) {
  for (const place of ["alpha", "rgb"]) {
    const channels = place === "alpha" ? [3] : [0, 1, 2];
    const read = (first, count) => {
      const perColumn = height * channels.length;
      const from = Math.floor((8 * first) / perColumn);
      const to = Math.min(width, Math.ceil((8 * (first + count)) / perColumn));
      const rgba = columns(place, from, to);
      const bytes = new Uint8Array(count);
      for (let i = 0; i < 8 * count; i++) {
        const bit = 8 * first + i - from * perColumn;
        const [x, y] = [Math.floor(bit / perColumn), Math.floor((bit % perColumn) / channels.length)];
        if (x >= to - from) return bytes.subarray(0, i >> 3);
        bytes[i >> 3] |= (rgba[4 * (y * (to - from) + x) + channels[bit % channels.length]] & 1) << (7 - (i & 7));
      }
      return bytes;
    };
    const head = read(0, HEADER_BYTES);
    const signature = latin1(head.subarray(0, 15));
    if (head.length < HEADER_BYTES || SIGNATURES[signature] !== place) continue;
    const size = new DataView(head.buffer, 15).getUint32(0) >> 3;
    if (size > MAX_TEXT_BYTES) continue;
    const body = read(HEADER_BYTES, size);
    const text = body.length < size ? "" : await decodeText(body, signature.endsWith("comp"));
    if (text) return { place, text };
  }
  return null;
}

async function decodeText(body, isCompressed) {
  if (!isCompressed) return utf8(body);
  try {
    const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream("gzip"));
    return utf8(new Uint8Array(await new Response(stream).arrayBuffer()).subarray(0, MAX_TEXT_BYTES));
  } catch {
    return "";
  }
}

/** Items of evidence from the results of WatermarkReader and readStealth. */
export function readWatermarks(hit, hidden, image) {
  const items = [];
  if (hit) {
    const { generator, bits, wrong, blocks } = hit;
    items.push(
      evidence("watermark", `The pixels contain the invisible watermark of ${generator} (${bits - wrong} of ${bits} bits match).`, "measured", "ai", {
        proves:
          "That this picture passed through software that writes this generator's watermark, and was hardly changed since.",
        does_not_prove:
          "Who made it or how. The watermark's code is public, so it can also be written into a real picture on purpose.",
        generator,
        method: "dwtDct",
        bits,
        wrong_bits: wrong,
        blocks,
      }),
    );
  }
  return hidden ? [...items, ...hiddenEvidence(hidden, image)] : items;
}

/** The hidden text is a generator's record, read like those in metadata. */
function hiddenEvidence({ place, text }, image) {
  const texts = collect([{ place: "pixels", name: "parameters", text }]);
  const items = readGenerators(texts, image).items.map((item) => ({
    ...item,
    kind: "watermark",
    claim: `Hidden in the pixels, ${item.claim[0].toLowerCase()}${item.claim.slice(1)}`,
    detail: { ...item.detail, method: "stealth", place },
  }));
  if (items.length) return items;
  return [
    evidence("watermark", "The pixels contain a hidden text of the kind that some generators write, but it does not name a generator.", "unsigned", "nothing", {
      proves: "That a text was hidden in the lowest bits of the pixels.",
      does_not_prove: "How the picture was made.",
      method: "stealth",
      place,
      text: [...text].slice(0, 200).join(""),
    }),
  ];
}
