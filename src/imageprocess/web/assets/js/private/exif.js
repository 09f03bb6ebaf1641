// A TIFF structure -> the few EXIF fields that say who or what made the picture, and how it is turned
// (provenance/exif.py; TIFF 6.0, CIPA DC-008).

import { Reader, utf8 } from "./bytes.js";

const MAX_ENTRIES = 512;
const MAX_VALUE_BYTES = 16_000_000;
const TEXTS = {
  0x010e: "description", 0x010f: "make", 0x0110: "model", 0x0131: "software", 0x0132: "changed", 0x9003: "taken",
  0xa433: "lens_make", 0xa434: "lens",
};
const NUMBERS = { 0x829a: "exposure_time_s", 0x829d: "f_number", 0x8827: "iso", 0x920a: "focal_length_mm" };
const ORIENTATION = 0x0112;
const USER_COMMENT = 0x9286;
const EXIF_DIRECTORY = 0x8769;
const TYPE_SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 13: 4 };

/**
 * -> {texts: Map, numbers, orientation 1 to 8, turn: where it stands, in `tiff`'s own memory}. Never throws: a damaged block
 * gives the fields that could be read.
 */
export function readExif(tiff) {
  const nothing = { texts: new Map(), numbers: {}, orientation: 1 };
  const little = byteOrder(tiff);
  if (little === null) return nothing;
  const at = new Reader(tiff);
  const number = (bytes) => bytes.reduceRight((value, _, i) => value * 256 + bytes[little ? i : bytes.length - 1 - i], 0);
  const first = new Map(entries(at, at.view.getUint32(4, little), little));
  const inner = first.has(EXIF_DIRECTORY) ? entries(at, number(first.get(EXIF_DIRECTORY)), little) : [];
  const fields = new Map([...inner, ...first]);
  const texts = Object.entries(TEXTS).map(([tag, name]) => [name, text(fields.get(Number(tag)))]);
  texts.push(["user_comment", userComment(fields.get(USER_COMMENT) ?? new Uint8Array(), little)]);
  const numbers = Object.entries(NUMBERS).map(([tag, name]) => [name, value(fields.get(Number(tag)), number)]);
  const turn = first.get(ORIENTATION)?.subarray(0, 2) ?? null;
  const orientation = turn ? number(turn) : 1;
  return {
    texts: new Map(texts.filter(([, found]) => found)),
    numbers: Object.fromEntries(numbers.filter(([, found]) => found)),
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
    turn,
  };
}

/** true: little-endian; null: not a TIFF structure. */
function byteOrder(tiff) {
  if (!tiff || tiff.length < 8) return null;
  const head = new Reader(tiff).ascii(0, 4);
  return head === "II*\0" ? true : head === "MM\0*" ? false : null;
}

/** [tag, value bytes] of one directory. */
function entries(at, start, little) {
  const found = [];
  if (start + 2 > at.length) return found;
  const count = Math.min(at.view.getUint16(start, little), MAX_ENTRIES);
  for (let entry = start + 2; entry < start + 2 + 12 * count; entry += 12) {
    if (entry + 12 > at.length) break;
    const size = at.view.getUint32(entry + 4, little) * (TYPE_SIZES[at.view.getUint16(entry + 2, little)] ?? 0);
    const from = size <= 4 ? entry + 8 : at.view.getUint32(entry + 8, little);
    if (size > 0 && size <= MAX_VALUE_BYTES && from + size <= at.length) {
      found.push([at.view.getUint16(entry, little), at.data.subarray(from, from + size)]);
    }
  }
  return found;
}

/** A SHORT, a LONG or a RATIONAL; 0 where it is none or makes no sense. */
function value(raw, number) {
  if (!raw) return 0;
  if (raw.length !== 8) return number(raw.subarray(0, 4));
  const denominator = number(raw.subarray(4));
  return denominator ? number(raw.subarray(0, 4)) / denominator : 0;
}

function text(raw) {
  if (!raw) return "";
  const zero = raw.indexOf(0);
  return utf8(zero < 0 ? raw : raw.subarray(0, zero)).trim();
}

const trimmed = (found) => found.replace(/^[\0 \n\r\t]+|[\0 \n\r\t]+$/g, "");

/** EXIF's UserComment: eight bytes name the encoding. */
function userComment(raw, little) {
  const code = new Reader(raw).ascii(0, 8);
  const body = raw.subarray(8);
  if (code === "UNICODE\0") {
    // The standard leaves the byte order open; in Latin script every other byte is zero, which tells it.
    const zeros = [0, 0];
    body.subarray(0, 200).forEach((byte, i) => (zeros[i % 2] += byte === 0 ? 1 : 0));
    if (zeros[0] !== zeros[1]) little = zeros[0] < zeros[1];
    return trimmed(new TextDecoder(little ? "utf-16le" : "utf-16be", { ignoreBOM: true }).decode(body));
  }
  if (code === "ASCII\0\0\0" || code === "\0".repeat(8)) return trimmed(utf8(body));
  return trimmed(utf8(raw)); // without a code, as some generators are written
}
