// A TIFF structure -> the few EXIF fields that say who or what made the picture, and how it is turned
// (provenance/exif.py; TIFF 6.0, CIPA DC-008).

import { Reader, utf8 } from "./bytes.js";
import { parseJson } from "./generation.js";

const MAX_ENTRIES = 512;
const MAX_VALUE_BYTES = 16_000_000;
const TEXTS = {
  0x010d: "DocumentName", 0x010e: "ImageDescription", 0x010f: "Make", 0x0110: "Model", 0x0131: "Software",
  0x0132: "DateTime", 0x013b: "Artist", 0x013c: "HostComputer", 0x8298: "Copyright", 0x9003: "DateTimeOriginal",
  0xa430: "CameraOwnerName", 0xa433: "LensMake", 0xa434: "LensModel", 0x88a0: "XiaomiAIGC",
};
// UTF-16, as Windows writes them.
const WIDE_TEXTS = {
  0x9c9b: "XPTitle", 0x9c9c: "XPComment", 0x9c9d: "XPAuthor", 0x9c9e: "XPKeywords", 0x9c9f: "XPSubject",
};
const NUMBERS = { 0x829a: "exposure_time_s", 0x829d: "f_number", 0x8827: "iso", 0x920a: "focal_length_mm" };
const ORIENTATION = 0x0112;
const USER_COMMENT = 0x9286;
const EXIF_DIRECTORY = 0x8769;
const [MAKER_NOTE, HUAWEI_AI_EDIT] = [0x927c, 0x0212];
const [XMP, IPTC, C2PA] = [0x02bc, 0x83bb, 0xcd41]; // fields of a TIFF file; an EXIF block has none of them
const [WIDTH, HEIGHT] = [0x0100, 0x0101];
const MARK_OF_SETTINGS = /Steps: \d|Negative prompt:/;
const TYPE_SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 13: 4 };

/**
 * -> {texts: Map, numbers, orientation 1 to 8, turn: where it stands, in `tiff`'s own memory}. Never throws: a damaged block
 * gives the fields that could be read.
 */
export function readExif(tiff) {
  const nothing = { texts: new Map(), numbers: {}, orientation: 1, xmp: null, iim: null, store: null };
  const little = byteOrder(tiff);
  if (little === null) return nothing;
  const at = new Reader(tiff);
  const number = (bytes) => bytes.reduceRight((value, _, i) => value * 256 + bytes[little ? i : bytes.length - 1 - i], 0);
  const first = new Map(entries(at, at.view.getUint32(4, little), little));
  const inner = first.has(EXIF_DIRECTORY) ? entries(at, number(first.get(EXIF_DIRECTORY)), little) : [];
  const fields = new Map([...inner, ...first]);
  const texts = Object.entries(TEXTS).map(([tag, name]) => [name, text(fields.get(Number(tag)))]);
  for (const [tag, name] of Object.entries(WIDE_TEXTS)) texts.push([name, wideText(fields.get(Number(tag)))]);
  texts.push(["UserComment", userComment(fields.get(USER_COMMENT) ?? new Uint8Array(), little)]);
  texts.push(["Huawei:AiEdit", huaweiAiEdit(fields.get(MAKER_NOTE))]);
  const numbers = Object.entries(NUMBERS).map(([tag, name]) => [name, value(fields.get(Number(tag)), number)]);
  const turn = first.get(ORIENTATION)?.subarray(0, 2) ?? null;
  const orientation = turn ? number(turn) : 1;
  return {
    texts: new Map(texts.filter(([, found]) => found)),
    numbers: Object.fromEntries(numbers.filter(([, found]) => found)),
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
    turn,
    xmp: fields.get(XMP) ?? null,
    iim: fields.get(IPTC) ?? null,
    store: fields.get(C2PA) ?? null,
    width: first.has(WIDTH) ? number(first.get(WIDTH)) : 0,
    height: first.has(HEIGHT) ? number(first.get(HEIGHT)) : 0,
  };
}

/** Huawei's mark of a picture that its editor's AI changed, or "". Behind its name, the maker's note is a TIFF structure. */
function huaweiAiEdit(note) {
  if (!note || new Reader(note).ascii(0, 8) !== "HUAWEI\0\0") return "";
  const tiff = note.subarray(8);
  const little = byteOrder(tiff);
  if (little === null) return "";
  const at = new Reader(tiff);
  const found = new Map(entries(at, at.view.getUint32(4, little), little)).get(HUAWEI_AI_EDIT);
  if (!found) return "";
  return String([...found].reduce((value, byte, i) => value + byte * 256 ** (little ? i : found.length - 1 - i), 0));
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

/** Up to the first zero byte; NovelAI writes four of them in front. */
function text(raw) {
  if (!raw) return "";
  const from = raw.findIndex((byte) => byte !== 0);
  const body = from < 0 ? new Uint8Array() : raw.subarray(from);
  const zero = body.indexOf(0);
  return utf8(zero < 0 ? body : body.subarray(0, zero)).trim();
}

const trimmed = (found) => found.replace(/^[\0 \n\r\t]+|[\0 \n\r\t]+$/g, "");
const utf16 = (bytes, order) => new TextDecoder(order, { ignoreBOM: true }).decode(bytes).replace(/^\ufeff+/, "");

const wideText = (raw) => (raw ? trimmed(new TextDecoder("utf-16le", { ignoreBOM: true }).decode(raw)) : "");

/** EXIF's UserComment: eight bytes name the encoding. */
function userComment(raw, little) {
  const code = new Reader(raw).ascii(0, 8);
  const body = raw.subarray(8);
  if (code === "UNICODE\0") return trimmed(eitherUtf16(body, little));
  if (code === "ASCII\0\0\0" || code === "\0".repeat(8)) return trimmed(utf8(body));
  return trimmed(utf8(raw)); // without a code, as some generators are written
}

/**
 * The standard leaves the byte order open, and writers get it wrong. The one that parses as a generator's record is right;
 * otherwise the one whose high bytes take fewer values than its low ones, as in any script.
 */
function eitherUtf16(whole, little) {
  const body = whole.subarray(0, whole.length - (whole.length % 2));
  const tried = [utf16(body, "utf-16be"), utf16(body, "utf-16le")];
  const parsing = tried.filter(parses);
  if (parsing.length === 1) return parsing[0];
  const asBytes = utf8(whole); // under the wrong name
  if (!parsing.length && parses(asBytes)) return asBytes;
  const kinds = [new Set(), new Set()];
  body.forEach((byte, i) => kinds[i % 2].add(byte));
  if (kinds[0].size !== kinds[1].size) return tried[kinds[0].size < kinds[1].size ? 0 : 1];
  return tried[little ? 1 : 0];
}

function parses(found) {
  if (MARK_OF_SETTINGS.test(found)) return true;
  const body = trimmed(found);
  return /^[{[]/.test(body) && parseJson(body) !== null;
}
