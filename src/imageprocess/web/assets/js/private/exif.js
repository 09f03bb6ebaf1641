// Reads the EXIF fields that tell who or what made the picture and how it is oriented (port of provenance/exif.py;
// TIFF 6.0, CIPA DC-008).

import { Reader, stripped, utf8 } from "./bytes.js";
import { parseJson } from "./generation.js";
import { photoshopIptc } from "./jpeg-records.js";
import { jsonPart } from "./texts.js";

const MAX_ENTRIES = 512;
const MAX_VALUE_BYTES = 16_000_000;
const TEXTS = {
  0x010d: "DocumentName", 0x010e: "ImageDescription", 0x010f: "Make", 0x0110: "Model", 0x0131: "Software",
  0x0132: "DateTime", 0x013b: "Artist", 0x013c: "HostComputer", 0x8298: "Copyright", 0x9003: "DateTimeOriginal",
  0xa430: "CameraOwnerName", 0xa433: "LensMake", 0xa434: "LensModel", 0x88a0: "XiaomiAIGC",
};
// Windows writes these as UTF-16.
const WIDE_TEXTS = {
  0x9c9b: "XPTitle", 0x9c9c: "XPComment", 0x9c9d: "XPAuthor", 0x9c9e: "XPKeywords", 0x9c9f: "XPSubject",
};
const NUMBERS = { 0x829a: "exposure_time_s", 0x829d: "f_number", 0x8827: "iso", 0x920a: "focal_length_mm" };
const ORIENTATION = 0x0112;
const USER_COMMENT = 0x9286;
const EXIF_DIRECTORY = 0x8769;
const [MAKER_NOTE, HUAWEI_AI_EDIT] = [0x927c, 0x0212];
const [XMP, IPTC, PHOTOSHOP, C2PA] = [0x02bc, 0x83bb, 0x8649, 0xcd41]; // in TIFF files only
const [WIDTH, HEIGHT] = [0x0100, 0x0101];
const RECORD_PATTERN = /Steps: \d|Negative prompt:|Job ID: [\da-f]{8}-|" -s ?\d/;
const TYPE_SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 13: 4 };

/**
 * -> {texts: Map, numbers, orientation 1 to 8, orientationBytes: its bytes within `tiff`, ...}. Never throws: a damaged
 * block gives the fields that could be read.
 */
export function readExif(tiff) {
  const nothing = { texts: new Map(), numbers: {}, orientation: 1, xmp: null, iim: null, store: null };
  const little = byteOrder(tiff);
  if (little === null) return nothing;
  const reader = new Reader(tiff);
  const number = (bytes) => bytes.reduceRight((value, _, i) => value * 256 + bytes[little ? i : bytes.length - 1 - i], 0);
  const first = new Map(entries(reader, reader.view.getUint32(4, little), little));
  const inner = first.has(EXIF_DIRECTORY) ? entries(reader, number(first.get(EXIF_DIRECTORY)), little) : [];
  const fields = new Map([...inner, ...first]);
  const texts = Object.entries(TEXTS).map(([tag, name]) => [name, text(fields.get(Number(tag)))]);
  for (const [tag, name] of Object.entries(WIDE_TEXTS)) texts.push([name, wideText(fields.get(Number(tag)))]);
  texts.push(["UserComment", userComment(fields.get(USER_COMMENT) ?? new Uint8Array(), little)]);
  texts.push(["Huawei:AiEdit", huaweiAiEdit(fields.get(MAKER_NOTE))]);
  const numbers = Object.entries(NUMBERS).map(([tag, name]) => [name, value(fields.get(Number(tag)), number)]);
  const orientationBytes = first.get(ORIENTATION)?.subarray(0, 2) ?? null;
  const orientation = orientationBytes ? number(orientationBytes) : 1;
  return {
    texts: new Map(texts.filter(([, value]) => value)),
    numbers: Object.fromEntries(numbers.filter(([, value]) => value)),
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
    orientationBytes,
    xmp: fields.get(XMP) ?? null,
    iim: fields.get(IPTC) ?? photoshopIptc(fields.get(PHOTOSHOP) ?? new Uint8Array()),
    store: fields.get(C2PA) ?? null,
    width: first.has(WIDTH) ? number(first.get(WIDTH)) : 0,
    height: first.has(HEIGHT) ? number(first.get(HEIGHT)) : 0,
  };
}

/** Huawei's tag for a picture edited by its AI editor, or "". The maker note is a name followed by a TIFF structure. */
function huaweiAiEdit(note) {
  if (!note || new Reader(note).ascii(0, 8) !== "HUAWEI\0\0") return "";
  const tiff = note.subarray(8);
  const little = byteOrder(tiff);
  if (little === null) return "";
  const reader = new Reader(tiff);
  const valueBytes = new Map(entries(reader, reader.view.getUint32(4, little), little)).get(HUAWEI_AI_EDIT);
  if (!valueBytes) return "";
  return String([...valueBytes].reduce((value, byte, i) => value + byte * 256 ** (little ? i : valueBytes.length - 1 - i), 0));
}

/** -> true if little-endian, false if big-endian, null if not a TIFF structure. */
function byteOrder(tiff) {
  if (!tiff || tiff.length < 8) return null;
  const head = new Reader(tiff).ascii(0, 4);
  return head === "II*\0" ? true : head === "MM\0*" ? false : null;
}

/** [[tag, value bytes]] of one image file directory. */
function entries(reader, start, little) {
  const pairs = [];
  if (start + 2 > reader.length) return pairs;
  const count = Math.min(reader.view.getUint16(start, little), MAX_ENTRIES);
  for (let entry = start + 2; entry < start + 2 + 12 * count; entry += 12) {
    if (entry + 12 > reader.length) break;
    const size = reader.view.getUint32(entry + 4, little) * (TYPE_SIZES[reader.view.getUint16(entry + 2, little)] ?? 0);
    const from = size <= 4 ? entry + 8 : reader.view.getUint32(entry + 8, little);
    if (size > 0 && size <= MAX_VALUE_BYTES && from + size <= reader.length) {
      pairs.push([reader.view.getUint16(entry, little), reader.data.subarray(from, from + size)]);
    }
  }
  return pairs;
}

/** The number in a SHORT, LONG or RATIONAL; 0 if it is none or invalid. */
function value(raw, number) {
  if (!raw) return 0;
  if (raw.length !== 8) return number(raw.subarray(0, 4));
  const denominator = number(raw.subarray(4));
  return denominator ? number(raw.subarray(0, 4)) / denominator : 0;
}

const utf16 = (bytes, order) => new TextDecoder(order, { ignoreBOM: true }).decode(bytes).replace(/^\ufeff+/, "");

/** Text up to the first zero byte, leading zeros skipped: NovelAI writes four of them. */
function text(raw) {
  if (!raw) return "";
  const body = trimZeros(raw);
  const zero = body.indexOf(0);
  return (zero > 0 && decodeRecord(raw)) || utf8(zero < 0 ? body : body.subarray(0, zero)).trim();
}

/** Text in UTF-16 as Windows writes it; a generator's record is read in any encoding. */
const wideText = (raw) => (raw ? stripped(decodeRecord(raw) ?? new TextDecoder("utf-16le", { ignoreBOM: true }).decode(raw)) : "");

const CODES = ["", "ASCII", "JIS", "UNICODE"];

/**
 * EXIF UserComment: eight bytes name the encoding, which some generators omit and others state wrongly. An encoding in
 * which the text parses as a record takes precedence over the stated one.
 */
function userComment(raw, little) {
  const code = new Reader(raw).ascii(0, 8).replace(/[\0 ]+$/, "").toUpperCase();
  const body = CODES.includes(code) ? raw.subarray(8) : raw;
  const isWide = code === "UNICODE";
  const record = isWide || trimZeros(body).includes(0) ? decodeRecord(body) : null;
  return stripped(record ?? (isWide ? eitherUtf16(body, little) : utf8(body)));
}

/**
 * The standard leaves the byte order open, and writers get it wrong. In the right order the high bytes take fewer distinct
 * values than the low bytes, in any script.
 */
function eitherUtf16(raw, little) {
  const body = even(raw);
  const kinds = [new Set(), new Set()];
  body.forEach((byte, i) => kinds[i % 2].add(byte));
  const isBig = kinds[0].size !== kinds[1].size ? kinds[0].size < kinds[1].size : !little;
  return utf16(body, isBig ? "utf-16be" : "utf-16le");
}

/** `raw` decoded so that it parses as a generator's record, or null. */
function decodeRecord(raw) {
  const decoders = [() => utf8(raw).replace(/^\ufeff+/, ""), () => utf16(even(raw), "utf-16be"), () => utf16(even(raw), "utf-16le")];
  for (const decode of decoders) {
    const text = decode();
    if (RECORD_PATTERN.test(text) || parseJson(jsonPart(text)[1]) !== null) return text;
  }
  return null;
}

const even = (bytes) => bytes.subarray(0, bytes.length - (bytes.length % 2));

function trimZeros(raw) {
  let [from, to] = [0, raw.length];
  while (from < to && raw[from] === 0) from += 1;
  while (to > from && raw[to - 1] === 0) to -= 1;
  return raw.subarray(from, to);
}
