// TIFF as most programs write it (TIFF 6.0, part 1, with LZW, Deflate and the predictor of part 2): 8-bit grey, RGB or
// palette, with or without alpha, in strips or tiles. No browser decodes it. Any other kind is the service's to read.

import { Reader } from "./bytes.js";
import { inflate, unpackBits, unpackLzw } from "./tiffpacking.js";

const MAX_ENTRIES = 512;
const MAX_PIECES = 65_536; // strips or tiles
const [BILEVEL_WHITE, GREY, RGB, PALETTE] = [0, 1, 2, 3]; // photometric interpretations
const [PREMULTIPLIED, STRAIGHT] = [1, 2]; // kinds of an extra sample
const UNPACK = { 1: (bytes) => bytes, 5: unpackLzw, 8: inflate, 32773: unpackBits, 32946: inflate };
const DNG_VERSION = 0xc612;

/** {width, height, isRaw, isRead}: what the first directory says; null where it makes no sense. */
export function tiffFacts(data) {
  const told = directory(data);
  if (!told) return null;
  const isRaw = told.has(DNG_VERSION);
  return { width: one(told, 256, 0), height: one(told, 257, 0), isRaw, isRead: !isRaw && layout(told) !== null };
}

/** -> ImageData of the first picture, alpha straight. Throws an Error with words for a person. */
export async function readTiff(data) {
  const plan = layout(directory(data) ?? new Map());
  if (!plan) throw new Error("a kind of TIFF that is not read here");
  const { width, height, across, pieceWidth, pieceHeight, samples } = plan;
  const image = new ImageData(width, height);
  for (let i = 0; i < plan.offsets.length; i++) {
    const packed = data.subarray(plan.offsets[i], plan.offsets[i] + plan.sizes[i]);
    const [left, top] = [(i % across) * pieceWidth, Math.floor(i / across) * pieceHeight];
    const rows = plan.tiled ? pieceHeight : Math.min(pieceHeight, height - top);
    if (top >= height || rows <= 0) break;
    const bytes = await UNPACK[plan.compression](packed, rows * pieceWidth * samples);
    if (bytes.length < rows * pieceWidth * samples) throw new Error("it is cut off");
    const line = bytes.slice(0, rows * pieceWidth * samples);
    if (plan.predictor === 2) addUp(line, pieceWidth, samples);
    place(image, line, { ...plan, left, top, rows });
  }
  return image;
}

/** How the first picture lies, or null where it is of a kind that is not read. */
function layout(told) {
  const samples = one(told, 277, 1);
  const photometric = one(told, 262, -1);
  const colours = photometric === RGB ? 3 : 1;
  const [extra] = told.get(338) ?? [0];
  const [width, height] = [one(told, 256, 0), one(told, 257, 0)];
  const tiled = told.has(322);
  const [pieceWidth, pieceHeight] = tiled ? [one(told, 322, 0), one(told, 323, 0)] : [width, Math.min(one(told, 278, height), height)];
  const offsets = told.get(tiled ? 324 : 273) ?? [];
  const sizes = told.get(tiled ? 325 : 279) ?? [];
  const palette = told.get(320) ?? [];
  const plan = {
    width, height, samples, photometric, colours, extra, tiled, pieceWidth, pieceHeight, offsets, sizes, palette,
    across: pieceWidth ? Math.ceil(width / pieceWidth) : 0, compression: one(told, 259, 1), predictor: one(told, 317, 1),
  };
  const isPlain =
    [BILEVEL_WHITE, GREY, RGB, PALETTE].includes(photometric) && (told.get(258) ?? [1]).every((bits) => bits === 8) &&
    one(told, 284, 1) === 1 && one(told, 266, 1) === 1 && plan.compression in UNPACK && [1, 2].includes(plan.predictor) &&
    (samples === colours || (samples === colours + 1 && photometric !== PALETTE && [PREMULTIPLIED, STRAIGHT].includes(extra))) &&
    (photometric !== PALETTE || palette.length === 768) && (told.get(339) ?? [1]).every((kind) => kind === 1);
  const fits = width > 0 && height > 0 && pieceWidth > 0 && pieceHeight > 0 && offsets.length === sizes.length &&
    offsets.length >= plan.across * Math.ceil(height / pieceHeight) && pieceWidth * pieceHeight <= 4 * (width + 256) * (height + 256);
  return isPlain && fits ? plan : null;
}

/** Each pixel is kept as its difference from the one before it. */
function addUp(bytes, width, samples) {
  for (let row = 0; row < bytes.length; row += width * samples) {
    for (let at = row + samples; at < row + width * samples; at++) bytes[at] += bytes[at - samples];
  }
}

function place({ data: to }, bytes, plan) {
  const { width, height, left, top, rows, pieceWidth, samples, colours, photometric, palette, extra } = plan;
  for (let y = 0; y < rows && top + y < height; y++) {
    for (let x = 0; x < pieceWidth && left + x < width; x++) {
      const from = (y * pieceWidth + x) * samples;
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

const one = (told, tag, otherwise) => told.get(tag)?.[0] ?? otherwise;

/** The first directory: tag -> its whole numbers. null where there is none. */
function directory(data) {
  const at = new Reader(data);
  const little = { "II*\0": true, "MM\0*": false }[at.ascii(0, 4)];
  if (little === undefined || data.length < 8) return null;
  const number = { 1: (i) => at.u8(i), 3: (i) => at.view.getUint16(i, little), 4: (i) => at.view.getUint32(i, little) };
  const sizes = { 1: 1, 3: 2, 4: 4 };
  const told = new Map();
  try {
    const start = number[4](4);
    for (let i = 0; i < Math.min(number[3](start), MAX_ENTRIES); i++) {
      const entry = start + 2 + 12 * i;
      const [kind, count] = [number[3](entry + 2), number[4](entry + 4)];
      if (!(kind in sizes) || count > MAX_PIECES) continue;
      const from = count * sizes[kind] <= 4 ? entry + 8 : number[4](entry + 8);
      told.set(number[3](entry), Array.from({ length: count }, (_, n) => number[kind](from + n * sizes[kind])));
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // cut off: what was read counts
  }
  return told;
}
