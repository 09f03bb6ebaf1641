// Format, size and frame count of a picture, read from its header before the browser decodes it (port of
// decode/sniff.py).

import { Reader } from "./bytes.js";

const AVIF = new Set(["avif", "avis"]);
const HEIC = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"]);
export const MAX_PIXELS = 100_000_000; // as in decode/limits.py; larger pictures are decoded at reduced size
export const MAX_REDUCED_PIXELS = 220_000_000;
const HEAD = 1_000_000; // bytes that contain the size
const MAX_BRANDS = 64;
const MAX_PARTS = 65536;

export const MIME = {
  JPEG: "image/jpeg", PNG: "image/png", WEBP: "image/webp", AVIF: "image/avif", GIF: "image/gif", BMP: "image/bmp",
};

/** @param {Uint8Array} data @returns {string | null} format name */
export function sniff(data) {
  const at = new Reader(data);
  if (at.ascii(0, 3) === "\xff\xd8\xff") return "JPEG";
  if (at.ascii(0, 8) === "\x89PNG\r\n\x1a\n") return "PNG";
  if (at.ascii(0, 4) === "RIFF" && at.ascii(8, 4) === "WEBP") return "WEBP";
  if (["GIF87a", "GIF89a"].includes(at.ascii(0, 6))) return "GIF";
  if (at.ascii(0, 2) === "BM" && data.length >= 26) return "BMP";
  if (["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(at.ascii(0, 4))) return "TIFF";
  if (at.ascii(4, 4) === "ftyp") return sniffBrands(at);
  return null;
}

function sniffBrands(reader) {
  const end = Math.min(reader.u32(0), 16 + 4 * MAX_BRANDS, reader.length);
  const brands = [reader.ascii(8, 4)];
  for (let i = 16; i < end - 3; i += 4) brands.push(reader.ascii(i, 4));
  if (brands.some((brand) => AVIF.has(brand))) return "AVIF";
  return brands.some((brand) => HEIC.has(brand)) ? "HEIC" : null;
}

/** Size before EXIF rotation: {width, height}, or null if the header does not state it. */
export function size(data, format) {
  const at = new Reader(data);
  try {
    return SIZES[format]?.(at) ?? null;
  } catch (error) {
    if (error instanceof RangeError) return null; // truncated
    throw error;
  }
}

/** Whether a file's header states more pixels than are decoded at full size. */
export async function isTooLarge(file) {
  const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const stated = size(head, sniff(head));
  return stated !== null && stated.width * stated.height > MAX_PIXELS;
}

const SIZES = {
  PNG: (at) => ({ width: at.u32(16), height: at.u32(20) }),
  GIF: (at) => ({ width: at.u16le(6), height: at.u16le(8) }),
  BMP: (at) =>
    at.u32le(14) === 12
      ? { width: at.u16le(18), height: at.u16le(20) }
      : { width: at.i32le(18), height: Math.abs(at.i32le(22)) },
  WEBP: webp,
  JPEG: jpeg,
  AVIF: avif,
};

function webp(at) {
  const kind = at.ascii(12, 4);
  if (kind === "VP8X") return { width: 1 + at.u24le(24), height: 1 + at.u24le(27) };
  if (kind === "VP8 ") return { width: at.u16le(26) & 0x3fff, height: at.u16le(28) & 0x3fff };
  if (kind !== "VP8L") return null;
  const bits = at.u32le(21);
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
}

/** From the first frame header: SOF0 to SOF15 without DHT, JPG and DAC, which are in the same range. */
function jpeg(at) {
  let offset = 2;
  for (let i = 0; i < MAX_PARTS && offset + 9 <= at.length; i++) {
    if (at.u8(offset) !== 0xff) return null;
    const marker = at.u8(offset + 1);
    if (marker === 0xff) offset += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) offset += 2;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { width: at.u16(offset + 7), height: at.u16(offset + 5) };
    } else if (marker === 0xda || marker === 0xd9) return null;
    else offset += 2 + at.u16(offset + 2);
  }
  return null;
}

/** The largest `ispe` property; tiles and thumbnails have smaller ones. */
function avif(at) {
  let largest = null;
  const end = Math.min(at.length, 100_000);
  for (const meta of at.boxes(0, end).filter(({ kind }) => kind === "meta")) {
    for (const iprp of at.boxes(meta.start + 4, meta.end).filter(({ kind }) => kind === "iprp")) {
      for (const ipco of at.boxes(iprp.start, iprp.end).filter(({ kind }) => kind === "ipco")) {
        for (const { start } of at.boxes(ipco.start, ipco.end).filter(({ kind }) => kind === "ispe")) {
          const candidate = { width: at.u32(start + 4), height: at.u32(start + 8) };
          if (!largest || candidate.width * candidate.height > largest.width * largest.height) largest = candidate;
        }
      }
    }
  }
  return largest;
}

/** Number of frames according to the container's structure; at least 1. */
export function frames(data, format) {
  if (format === "GIF") return gifFrames(data);
  if (format === "PNG") return pngFrames(new Reader(data));
  if (format === "WEBP") return webpFrames(new Reader(data));
  return 1;
}

const MAX_FRAMES = 10_000;

function gifFrames(data) {
  const palette = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const skip = (at) => {
    while (data[at]) at += 1 + data[at];
    return at + 1;
  };
  let count = 0;
  let at = 13 + palette(data[10]);
  while (count < MAX_FRAMES && at < data.length) {
    if (data[at] === 0x2c) {
      at = skip(at + 11 + palette(data[at + 9]));
      count += at <= data.length ? 1 : 0;
    } else if (data[at] === 0x21) at = skip(at + 2);
    else break;
  }
  return Math.max(1, count);
}

function pngFrames(at) {
  for (const { kind, start, size: length } of at.pngChunks()) {
    if (kind === "acTL" && length >= 8) return Math.min(MAX_FRAMES, Math.max(1, at.u32(start)));
    if (kind === "IDAT") break;
  }
  return 1;
}

const webpFrames = (at) => Math.max(1, at.riffChunks().filter(({ kind }) => kind === "ANMF").length);
