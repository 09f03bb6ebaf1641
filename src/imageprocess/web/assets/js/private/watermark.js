// @ts-nocheck
// Marks that generators hid in the picture itself (imageprocess/watermark): the open `dwtDct` mark, and NovelAI's stealth
// record. A miss says nothing.

import { readGenerators } from "./generators.js";
import { latin1, utf8 } from "./bytes.js";
import { evidence } from "./statements.js";
import { collect } from "./texts.js";

const STEP = 36;
const MIN_PIXELS = 256 * 256; // the writer leaves smaller pictures alone
const MAX_BLOCKS = 65_536; // votes enough
const READINGS = 3;

const ofText = (text) => [...text].flatMap((c) => ofNumber(BigInt(c.charCodeAt(0)), 8));
const ofNumber = (value, bits) => Array.from({ length: bits }, (_, i) => Number((value >> BigInt(bits - 1 - i)) & 1n));

// [generator, bits, bits that may be wrong in a hit]
const PAYLOADS = [
  ["Stable Diffusion 1", ofText("StableDiffusionV1"), 11],
  ["Stable Diffusion 2", ofText("SDV2"), 1],
  ["Stable Diffusion XL", ofNumber(0xb3ec907bb19en, 48), 4],
  ["Flux", ofNumber(0x2afe879cf52en, 48), 4],
  ["Flux", ofNumber(0x2afe879cf52en, 46), 3], // its own code loses the two leading zeros
];

/** Takes the upright picture's rows, 8 or a multiple of 8 at a time, and gives the votes of its 4x4 blocks. */
export class MarkReader {
  constructor(width, height) {
    this.wide = Math.floor(width / 8);
    this.width = width;
    const rows = Math.min(Math.floor(height / 8) * 8, Math.max(8, Math.floor(MAX_BLOCKS / Math.max(1, this.wide)) * 8));
    this.blockRows = width * height < MIN_PIXELS ? 0 : rows / 8;
    this.done = 0; // rows of blocks
    this.bands = Array.from({ length: READINGS }, () => new Float32Array(16)); // of the block at hand
    this.votes = Array.from({ length: READINGS }, () => new Uint8Array(this.blockRows * this.wide));
  }

  push(rgba, count) {
    for (let top = 0; top + 8 <= count && this.done < this.blockRows; top += 8, this.done++) {
      for (let x = 0; x < this.wide; x++) this.block(rgba, top, 8 * x, this.done * this.wide + x);
    }
  }

  /** The 4x4 coefficients of one block in each of the ways that writers went about the U channel, and their votes. */
  block(rgba, top, left, place) {
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
      bands[0][i] = rounded / 2; // Stable Diffusion 1 and 2: 8-bit pictures
      bands[1][i] = 0.492 * (blue / 2 - (0.299 * red + 0.587 * green + 0.114 * blue) / 2) + 1; // XL, Flux
      bands[2][i] = 0.492 * (red / 2 - (0.299 * blue + 0.587 * green + 0.114 * red) / 2) + 1; // red and blue swapped
    }
    for (let way = 0; way < READINGS; way++) this.votes[way][place] = vote(bands[way]);
  }

  /** {generator, bits, wrong, blocks}, or null. */
  finish() {
    if (!this.blockRows) return null;
    for (const votes of this.votes) {
      for (const [generator, bits, most] of PAYLOADS) {
        const ones = new Array(bits.length).fill(0);
        const all = new Array(bits.length).fill(0);
        votes.forEach((one, i) => {
          ones[i % bits.length] += one;
          all[i % bits.length] += 1;
        });
        const wrong = bits.filter((bit, i) => bit !== (2 * ones[i] > all[i] ? 1 : 0)).length;
        if (wrong <= most) return { generator, bits: bits.length, wrong, blocks: votes.length };
      }
    }
    return null;
  }
}

/** The coefficient that stands out most from the block's mean, the first left out, carries the bit. */
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
const HEAD = 15 + 4; // bytes: a signature, and the text's length in bits
const MAX_TEXT_BYTES = 1_000_000;

/** `columns(place, from, to)`: 4 bytes a pixel of those columns, row by row. -> {place, text}, or null. */
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
    const head = read(0, HEAD);
    const signature = latin1(head.subarray(0, 15));
    if (head.length < HEAD || SIGNATURES[signature] !== place) continue;
    const size = new DataView(head.buffer, 15).getUint32(0) >> 3;
    if (size > MAX_TEXT_BYTES) continue;
    const body = read(HEAD, size);
    const text = body.length < size ? "" : await unpacked(body, signature.endsWith("comp"));
    if (text) return { place, text };
  }
  return null;
}

async function unpacked(body, zipped) {
  if (!zipped) return utf8(body);
  try {
    const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream("gzip"));
    return utf8(new Uint8Array(await new Response(stream).arrayBuffer()).subarray(0, MAX_TEXT_BYTES));
  } catch {
    return "";
  }
}

/** `hit`: MarkReader's; `hidden`: readStealth's. -> [evidence] */
export function readWatermarks(hit, hidden, image) {
  const found = [];
  if (hit) {
    const { generator, bits, wrong, blocks } = hit;
    found.push(
      evidence("watermark", `The pixels carry the invisible mark of ${generator} (${bits - wrong} of ${bits} bits match).`, "measured", "ai", {
        proves:
          "That this picture passed through software that writes this generator's mark, and has hardly been changed since.",
        does_not_prove:
          "Who made it or how. The mark's code is public, so it could also be written into a real picture on purpose.",
        generator,
        method: "dwtDct",
        bits,
        wrong_bits: wrong,
        blocks,
      }),
    );
  }
  return hidden ? [...found, ...hiddenEvidence(hidden, image)] : found;
}

/** The hidden text is a record like those that generators write beside the pixels: the same readers read it. */
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
    evidence("watermark", "The pixels hide a text of the kind that some generators write, but it names none.", "unsigned", "nothing", {
      proves: "That somebody hid a text in the lowest bits of the pixels.",
      does_not_prove: "How the picture was made.",
      method: "stealth",
      place,
      text: [...text].slice(0, 200).join(""),
    }),
  ];
}
