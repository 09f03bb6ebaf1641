// Decodes common baseline TIFF files, which browsers do not (TIFF 6.0 part 1; LZW, Deflate and predictor of part 2): 8-bit
// grey, RGB or palette, with or without alpha, in strips or tiles. Other kinds are left to the service.

import { Reader } from "./bytes.js";
import { decodeLzw, decodePackBits, inflate } from "./tiff-compression.js";

const MAX_ENTRIES = 512;
const MAX_BLOCKS = 65_536; // strips or tiles
const [BILEVEL_WHITE, GREY, RGB, PALETTE] = [0, 1, 2, 3]; // photometric interpretations
const [PREMULTIPLIED, STRAIGHT] = [1, 2]; // kinds of extra samples
const DECOMPRESSORS = { 1: (bytes) => bytes, 5: decodeLzw, 8: inflate, 32773: decodePackBits, 32946: inflate };
const DNG_VERSION = 0xc612;

/** {width, height, isRaw, isSupported} from the first image file directory; null if it is invalid. */
export function tiffFacts(data) {
  const tags = directory(data);
  if (!tags) return null;
  const isRaw = tags.has(DNG_VERSION);
  return { width: tagValue(tags, 256, 0), height: tagValue(tags, 257, 0), isRaw, isSupported: !isRaw && layout(tags) !== null };
}

/** -> ImageData of the first picture, with straight alpha. Throws an Error with a readable message. */
export async function readTiff(data) {
  const plan = layout(directory(data) ?? new Map());
  if (!plan) throw new Error("this kind of TIFF is not supported");
  const { width, height, across, blockWidth, blockHeight, samples } = plan;
  const image = new ImageData(width, height);
  for (let i = 0; i < plan.offsets.length; i++) {
    const compressed = data.subarray(plan.offsets[i], plan.offsets[i] + plan.sizes[i]);
    const [left, top] = [(i % across) * blockWidth, Math.floor(i / across) * blockHeight];
    const rows = plan.tiled ? blockHeight : Math.min(blockHeight, height - top);
    if (top >= height || rows <= 0) break;
    const decompressed = await DECOMPRESSORS[plan.compression](compressed, rows * blockWidth * samples);
    if (decompressed.length < rows * blockWidth * samples) throw new Error("the file is truncated");
    const pixels = decompressed.slice(0, rows * blockWidth * samples);
    if (plan.predictor === 2) undoPrediction(pixels, blockWidth, samples);
    copyBlock(image, pixels, { ...plan, left, top, rows });
  }
  return image;
}

/** The layout of the first picture, or null if it is not supported. */
function layout(tags) {
  const samples = tagValue(tags, 277, 1);
  const photometric = tagValue(tags, 262, -1);
  const colours = photometric === RGB ? 3 : 1;
  const [extra] = tags.get(338) ?? [0];
  const [width, height] = [tagValue(tags, 256, 0), tagValue(tags, 257, 0)];
  const tiled = tags.has(322);
  const [blockWidth, blockHeight] = tiled ? [tagValue(tags, 322, 0), tagValue(tags, 323, 0)] : [width, Math.min(tagValue(tags, 278, height), height)];
  const offsets = tags.get(tiled ? 324 : 273) ?? [];
  const sizes = tags.get(tiled ? 325 : 279) ?? [];
  const palette = tags.get(320) ?? [];
  const plan = {
    width, height, samples, photometric, colours, extra, tiled, blockWidth, blockHeight, offsets, sizes, palette,
    across: blockWidth ? Math.ceil(width / blockWidth) : 0, compression: tagValue(tags, 259, 1), predictor: tagValue(tags, 317, 1),
  };
  const isPlain =
    [BILEVEL_WHITE, GREY, RGB, PALETTE].includes(photometric) && (tags.get(258) ?? [1]).every((bits) => bits === 8) &&
    tagValue(tags, 284, 1) === 1 && tagValue(tags, 266, 1) === 1 && plan.compression in DECOMPRESSORS && [1, 2].includes(plan.predictor) &&
    (samples === colours || (samples === colours + 1 && photometric !== PALETTE && [PREMULTIPLIED, STRAIGHT].includes(extra))) &&
    (photometric !== PALETTE || palette.length === 768) && (tags.get(339) ?? [1]).every((kind) => kind === 1);
  const fits = width > 0 && height > 0 && blockWidth > 0 && blockHeight > 0 && offsets.length === sizes.length &&
    offsets.length >= plan.across * Math.ceil(height / blockHeight) && blockWidth * blockHeight <= 4 * (width + 256) * (height + 256);
  return isPlain && fits ? plan : null;
}

/** Horizontal predictor: each sample is stored as the difference from the one before. */
function undoPrediction(bytes, width, samples) {
  for (let row = 0; row < bytes.length; row += width * samples) {
    for (let at = row + samples; at < row + width * samples; at++) bytes[at] += bytes[at - samples];
  }
}

function copyBlock({ data: to }, bytes, plan) {
  const { width, height, left, top, rows, blockWidth, samples, colours, photometric, palette, extra } = plan;
  for (let y = 0; y < rows && top + y < height; y++) {
    for (let x = 0; x < blockWidth && left + x < width; x++) {
      const from = (y * blockWidth + x) * samples;
      const at = 4 * ((top + y) * width + left + x);
      const alpha = samples > colours ? bytes[from + colours] : 255;
      for (let c = 0; c < 3; c++) {
        let value = bytes[from + (colours === 3 ? c : 0)];
        if (photometric === PALETTE) value = palette[256 * c + value] >> 8;
        else if (photometric === BILEVEL_WHITE) value = 255 - value;
        else if (extra === PREMULTIPLIED && samples > colours && alpha) value = Math.min(255, Math.floor((255 * value) / alpha));
        to[at + c] = value;
      }
      to[at + 3] = alpha;
    }
  }
}

const tagValue = (tags, tag, otherwise) => tags.get(tag)?.[0] ?? otherwise;

/** Map of tag -> integers in the first image file directory; null if there is none. */
function directory(data) {
  const reader = new Reader(data);
  const little = { "II*\0": true, "MM\0*": false }[reader.ascii(0, 4)];
  if (little === undefined || data.length < 8) return null;
  const number = { 1: (i) => reader.u8(i), 3: (i) => reader.view.getUint16(i, little), 4: (i) => reader.view.getUint32(i, little) };
  const sizes = { 1: 1, 3: 2, 4: 4 };
  const tags = new Map();
  try {
    const start = number[4](4);
    for (let i = 0; i < Math.min(number[3](start), MAX_ENTRIES); i++) {
      const entry = start + 2 + 12 * i;
      const [kind, count] = [number[3](entry + 2), number[4](entry + 4)];
      if (!(kind in sizes) || count > MAX_BLOCKS) continue;
      const from = count * sizes[kind] <= 4 ? entry + 8 : number[4](entry + 8);
      tags.set(number[3](entry), Array.from({ length: count }, (_, n) => number[kind](from + n * sizes[kind])));
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // truncated: keep what was read
  }
  return tags;
}
