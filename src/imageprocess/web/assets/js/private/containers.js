// Bytes -> where each container keeps what is said about the picture (provenance/containers). Every walker follows the
// container's own structure, so a marker that merely occurs somewhere in the bytes is never found; each is bounded.

import { latin1, Reader, utf8, utf8OrLatin1 } from "./bytes.js";

const MAX_PARTS = 65536;
const MAX_RECORD_BYTES = 16_000_000;
const MAX_TEXTS = 256;
const MAX_TEXT_BYTES = 4_000_000; // all text chunks together, after decompression

const WALKERS = { JPEG: walkJpeg, PNG: walkPng, WEBP: walkWebp, AVIF: walkIsobmff };

/** -> {exif, xmp, iim, store: bytes or null; texts: Map}. A damaged container gives what was read before the damage. */
export async function readRecords(data, format) {
  const records = { exif: null, xmp: null, iim: null, store: null, texts: new Map() };
  try {
    await WALKERS[format]?.(data, records);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // cut off
  }
  return records;
}

const capped = (data, start, size) =>
  size > MAX_RECORD_BYTES || start < 0 || start + size > data.length ? null : data.subarray(start, start + size);

const starts = (bytes, prefix) => latin1(bytes.subarray(0, prefix.length)) === prefix;

// JPEG: marker segments from SOI to the first scan (ITU-T T.81, Annex B).

const XMP = "http://ns.adobe.com/xap/1.0/\0";
const EXIF = "Exif\0\0";
const PHOTOSHOP = "Photoshop 3.0\0";

function walkJpeg(data, records) {
  const jumbf = new Map(); // box instance -> pieces, in the file's order
  let jumbfBytes = 0;
  for (const [marker, body] of segments(data)) {
    if (marker === 0xe1 && starts(body, EXIF)) records.exif ??= body.subarray(EXIF.length);
    else if (marker === 0xe1 && starts(body, XMP)) records.xmp ??= body.subarray(XMP.length);
    else if (marker === 0xed && starts(body, PHOTOSHOP)) records.iim ??= photoshopIptc(body.subarray(PHOTOSHOP.length));
    else if (marker === 0xeb && starts(body, "JP") && body.length >= 4 && jumbfBytes < MAX_RECORD_BYTES) {
      const instance = (body[2] << 8) | body[3];
      jumbf.set(instance, [...(jumbf.get(instance) ?? []), body]);
      jumbfBytes += body.length;
    }
  }
  records.store = joinJumbf(jumbf);
}

function* segments(data) {
  const at = new Reader(data);
  let place = 2;
  for (let found = 0; found < MAX_PARTS && place + 4 <= data.length && data[place] === 0xff; ) {
    const marker = data[place + 1];
    if (marker === 0xff) place += 1; // a fill byte
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) place += 2;
    else if (marker === 0xda || marker === 0xd9) return;
    else {
      const size = at.u16(place + 2);
      if (size < 2 || place + 2 + size > data.length) return;
      if (marker >= 0xe0 && marker <= 0xef) {
        found += 1;
        yield [marker, data.subarray(place + 4, place + 2 + size)];
      }
      place += 2 + size;
    }
  }
}

/** The IPTC block (resource 0x0404) among Photoshop's image resources. */
function photoshopIptc(blocks) {
  const at = new Reader(blocks);
  for (let place = 0; at.ascii(place, 4) === "8BIM" && place + 12 <= blocks.length; ) {
    const nameEnd = place + 7 + blocks[place + 6];
    const sizeAt = nameEnd + ((nameEnd - place) % 2);
    const size = at.u32(sizeAt);
    if (at.u16(place + 4) === 0x0404) return blocks.subarray(sizeAt + 4, sizeAt + 4 + size);
    place = sizeAt + 4 + size + (size % 2);
  }
  return null;
}

/** The C2PA superbox out of its APP11 pieces (ISO/IEC 19566-5, Annex D): each repeats the superbox's header. */
function joinJumbf(instances) {
  for (const pieces of instances.values()) {
    const first = pieces[0].subarray(8);
    const header = starts(first, "\0\0\0\x01") ? 16 : 8;
    const rest = pieces.slice(1).map((piece) => piece.subarray(8 + header));
    const store = new Uint8Array(first.length + rest.reduce((sum, part) => sum + part.length, 0));
    store.set(first);
    rest.reduce((at, part) => (store.set(part, at), at + part.length), first.length);
    if (isC2paStore(store)) return store;
  }
  return null;
}

/** Is this JUMBF superbox described (its first box, jumd) as a C2PA manifest store? */
export function isC2paStore(box) {
  const header = starts(box, "\0\0\0\x01") ? 16 : 8;
  const at = new Reader(box);
  return at.ascii(4, 4) === "jumb" && at.ascii(header + 4, 8) === "jumdc2pa";
}

// PNG: text chunks, eXIf, and C2PA's caBX.

async function walkPng(data, records) {
  let room = MAX_TEXT_BYTES;
  let texts = 0;
  for (const { kind, start, size } of new Reader(data).pngChunks()) {
    if (["tEXt", "zTXt", "iTXt"].includes(kind) && texts < MAX_TEXTS && room > 0) {
      texts += 1;
      room -= await keepText(records, kind, capped(data, start, size) ?? new Uint8Array(), room);
    } else if (kind === "eXIf") records.exif ??= capped(data, start, size);
    else if (kind === "caBX") records.store ??= capped(data, start, size);
  }
}

/** Put one text chunk where it belongs; returns the bytes it took. */
async function keepText(records, kind, body, room) {
  const [name, value] = split(body);
  const keyword = latin1(name.subarray(0, 79));
  let rest = value;
  if (kind === "zTXt") rest = await inflate(rest.subarray(1), room);
  else if (kind === "iTXt") {
    const [, after] = split(value.subarray(2)); // the language
    [, rest] = split(after); // the translated keyword
    if (value[0] === 1) rest = await inflate(rest, room);
  }
  if (keyword === "XML:com.adobe.xmp") {
    records.xmp ??= rest.subarray(0, MAX_RECORD_BYTES);
    return 0;
  }
  if (rest.length > room) return 0;
  // Latin-1 by the standard in tEXt, but several generators write UTF-8.
  const decoded = kind === "iTXt" ? utf8(rest) : kind === "tEXt" ? utf8OrLatin1(rest) : latin1(rest);
  if (!records.texts.has(keyword)) records.texts.set(keyword, decoded);
  return rest.length;
}

/** Before and behind the first zero byte. */
function split(bytes) {
  const zero = bytes.indexOf(0);
  return zero < 0 ? [bytes, new Uint8Array()] : [bytes.subarray(0, zero), bytes.subarray(zero + 1)];
}

/** At most `room` bytes of the zlib stream; nothing of a damaged one. */
async function inflate(packed, room) {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const whole = [];
  let size = 0;
  try {
    while (size < room) {
      const { done, value } = await reader.read();
      if (done) break;
      whole.push(value.subarray(0, room - size));
      size += whole.at(-1).length;
    }
  } catch {
    return new Uint8Array();
  }
  reader.cancel().catch(() => {});
  return new Uint8Array(await new Blob(whole).arrayBuffer());
}

// WebP: RIFF chunks.

function walkWebp(data, records) {
  for (const { kind, start, size } of new Reader(data).riffChunks()) {
    if (kind === "EXIF") {
      const exif = capped(data, start, size) ?? new Uint8Array();
      // Some writers keep JPEG's prefix, which the WebP container does not ask for.
      const bare = starts(exif, EXIF) ? exif.subarray(EXIF.length) : exif;
      records.exif ??= bare.length ? bare : null;
    } else if (kind === "XMP ") records.xmp ??= capped(data, start, size);
    else if (kind === "C2PA") records.store ??= capped(data, start, size);
  }
}

// AVIF: ISO base media boxes, metadata items through iinf and iloc (ISO/IEC 14496-12).

const C2PA_UUID = "\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81";
const MAX_ITEMS = 4096;

function walkIsobmff(data, records) {
  const at = new Reader(data);
  for (const { kind, start, end } of at.boxes(0, data.length)) {
    if (kind === "meta") readMeta(at, start + 4, end, records); // 4: version and flags
    else if (kind === "uuid" && at.ascii(start, 16) === C2PA_UUID) records.store ??= c2paBox(data, start + 16, end);
  }
}

/** The manifest store in C2PA's uuid box: version and flags, a purpose, an offset, then the store. */
function c2paBox(data, start, end) {
  const [purpose] = split(data.subarray(start + 4, Math.min(start + 64, end)));
  if (latin1(purpose) !== "manifest") return null;
  const store = start + 4 + purpose.length + 1 + 8;
  return capped(data, store, end - store);
}

function readMeta(at, start, end, records) {
  const bodies = Object.fromEntries(at.boxes(start, end).map((box) => [box.kind, box]));
  if (!bodies.iinf || !bodies.iloc) return;
  const items = itemInfos(at, bodies.iinf);
  for (const { id, method, extents } of itemLocations(at, bodies.iloc)) {
    const item = items.get(id);
    if (!item || method > 1) continue;
    const base = method === 1 ? (bodies.idat?.start ?? 0) : 0;
    const parts = extents.map(([offset, size]) => capped(at.data, base + offset, size) ?? new Uint8Array());
    const payload = Uint8Array.from(parts.flatMap((part) => [...part]));
    // A 32-bit offset to the TIFF header comes first.
    if (item.kind === "Exif" && payload.length > 4) records.exif ??= payload.subarray(4 + new Reader(payload).u32(0));
    else if (item.kind === "mime" && item.mime === "application/rdf+xml") records.xmp ??= payload;
  }
}

/** Item id -> its type, from the `infe` boxes (versions 2 and 3; older ones name no type). */
function itemInfos(at, { start, end }) {
  const items = new Map();
  const countSize = at.u8(start) === 0 ? 2 : 4;
  for (const box of at.boxes(start + 4 + countSize, end)) {
    const version = at.u8(box.start);
    if (box.kind !== "infe" || (version !== 2 && version !== 3) || items.size >= MAX_ITEMS) continue;
    const id = version === 2 ? at.u16(box.start + 4) : at.u32(box.start + 4);
    const typeAt = box.start + 4 + (version === 2 ? 2 : 4) + 2;
    const names = latin1(at.data.subarray(typeAt + 4, box.end)).split("\0");
    items.set(id, { kind: at.ascii(typeAt, 4), mime: names[1] ?? "" });
  }
  return items;
}

/** {id, method, extents: [[offset, size], ...]} of each item in the `iloc` box. */
function* itemLocations(at, { start, end }) {
  let place = start;
  const number = (size) => {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (place + i < end ? at.u8(place + i) : 0);
    place += size;
    return value;
  };
  const version = number(1);
  number(3);
  const sizes = number(2);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version === 1 || version === 2 ? sizes & 15 : 0;
  const items = Math.min(number(version < 2 ? 2 : 4), MAX_ITEMS);
  for (let i = 0; i < items; i++) {
    const id = number(version < 2 ? 2 : 4);
    const method = version === 1 || version === 2 ? number(2) & 15 : 0;
    number(2); // data reference index: 0, this file
    const base = number(baseSize);
    const extents = [];
    for (let left = Math.min(number(2), 64); left > 0; left--) {
      number(indexSize);
      const offset = base + number(offsetSize);
      extents.push([offset, number(lengthSize)]);
    }
    if (place > end) return;
    yield { id, method, extents };
  }
}
