// Finds the metadata records in a file's container (port of provenance/containers). Every reader follows the container's
// structure, so that a marker elsewhere in the bytes is never mistaken for a record, and every loop is bounded.

import { latin1, Reader } from "./bytes.js";
import { walkJpeg } from "./jpeg-records.js";
import { walkPng } from "./png-records.js";
import { capped, joined, Records, split } from "./records.js";

const MAX_PARTS = 65536;

const WALKERS = { JPEG: walkJpeg, PNG: walkPng, WEBP: walkWebp, AVIF: walkIsobmff, HEIC: walkIsobmff, GIF: walkGif };

/** @returns {Promise<Records>} from a damaged container, the records before the damage */
export async function readRecords(data, format) {
  const records = new Records();
  if (format === "TIFF") records.exif = [data]; // a TIFF file has the same structure as an EXIF block
  try {
    await WALKERS[format]?.(data, records);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // truncated
  }
  return records;
}

// WebP: RIFF chunks.

function walkWebp(data, records) {
  for (const { kind, start, size } of new Reader(data).riffChunks()) {
    if (kind === "EXIF") records.addExif(capped(data, start, size));
    else if (kind === "XMP ") records.addXmp(capped(data, start, size));
    else if (kind === "C2PA") records.store ??= capped(data, start, size);
  }
}

// AVIF and HEIC: ISO base media boxes, metadata items through iinf and iloc (ISO/IEC 14496-12).

const XMP_UUID = "\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";
const C2PA_UUID = "\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81";
const MAX_ITEMS = 4096;

function walkIsobmff(data, records) {
  const reader = new Reader(data);
  for (const { kind, start, end } of reader.boxes(0, data.length)) {
    if (kind === "meta") readMeta(reader, start + 4, end, records); // 4: version and flags
    else if (kind === "uuid" && reader.ascii(start, 16) === C2PA_UUID) records.store ??= c2paBox(data, start + 16, end);
    else if (kind === "uuid" && reader.ascii(start, 16) === XMP_UUID) records.addXmp(capped(data, start + 16, end - start - 16));
  }
}

/** The manifest store in a C2PA uuid box: version and flags, purpose, offset, store. */
function c2paBox(data, start, end) {
  const [purpose] = split(data.subarray(start + 4, Math.min(start + 64, end)));
  if (latin1(purpose) !== "manifest") return null;
  const store = start + 4 + purpose.length + 1 + 8;
  return capped(data, store, end - store);
}

function readMeta(reader, start, end, records) {
  const bodies = Object.fromEntries(reader.boxes(start, end).map((box) => [box.kind, box]));
  if (!bodies.iinf || !bodies.iloc) return;
  const items = itemInfos(reader, bodies.iinf);
  for (const { id, method, extents } of itemLocations(reader, bodies.iloc)) {
    const item = items.get(id);
    if (!item || method > 1) continue;
    const base = method === 1 ? (bodies.idat?.start ?? 0) : 0;
    const parts = extents.map(([offset, size]) => capped(reader.data, base + offset, size) ?? new Uint8Array());
    const payload = Uint8Array.from(parts.flatMap((part) => [...part]));
    // Starts with a 32-bit offset to the TIFF header.
    if (item.kind === "Exif" && payload.length > 4) records.addExif(payload.subarray(4 + new Reader(payload).u32(0)));
    else if (item.kind === "mime" && item.mime === "application/rdf+xml") records.addXmp(payload);
  }
}

/** Item id -> {kind, mime}, from the `infe` boxes of versions 2 and 3; older ones have no type. */
function itemInfos(reader, { start, end }) {
  const items = new Map();
  const countSize = reader.u8(start) === 0 ? 2 : 4;
  for (const box of reader.boxes(start + 4 + countSize, end)) {
    const version = reader.u8(box.start);
    if (box.kind !== "infe" || (version !== 2 && version !== 3) || items.size >= MAX_ITEMS) continue;
    const id = version === 2 ? reader.u16(box.start + 4) : reader.u32(box.start + 4);
    const typeAt = box.start + 4 + (version === 2 ? 2 : 4) + 2;
    const names = latin1(reader.data.subarray(typeAt + 4, box.end)).split("\0");
    items.set(id, { kind: reader.ascii(typeAt, 4), mime: names[1] ?? "" });
  }
  return items;
}

/** {id, method, extents: [[offset, size], ...]} of each item in the `iloc` box. */
function* itemLocations(reader, { start, end }) {
  let offset = start;
  const number = (size) => {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (offset + i < end ? reader.u8(offset + i) : 0);
    offset += size;
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
    if (offset > end) return;
    yield { id, method, extents };
  }
}

// GIF: extensions (GIF89a, appendix B): comments, XMP and C2PA's application block.

function walkGif(data, records) {
  const palette = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  let at = 13 + palette(data[10]);
  for (let i = 0; i < MAX_PARTS && at < data.length; i++) {
    if (data[at] === 0x2c) at = skipBlocks(data, at + 11 + palette(data[at + 9]));
    else if (data[at] === 0x21) at = readExtension(data, at, records);
    else break;
  }
}

/** Store the record in the extension at `at`; returns the offset after it. */
function readExtension(data, at, records) {
  const [label, start] = [data[at + 1], at + 2];
  const end = skipBlocks(data, start);
  if (end > data.length) return end; // truncated
  if (label === 0xfe) records.addText("GIF comment", "GIF:comment", joinBlocks(data, start, end));
  else if (label === 0xff && data[start] === 11) {
    const name = latin1(data.subarray(start + 1, start + 12));
    const body = start + 12;
    if (name === "XMP DataXMP") records.addXmp(data.subarray(body, Math.max(body, end - 258)));
    else if (name === "C2PA_GIF\x01\0\0") records.store ??= joinBlocks(data, body, end);
  }
  return end;
}

/** The offset after a chain of sub-blocks; beyond the data if it is truncated. */
function skipBlocks(data, at) {
  while (data[at]) at += 1 + data[at];
  return at + 1;
}

function joinBlocks(data, at, end) {
  const parts = [];
  for (; at < end && data[at]; at += 1 + data[at]) parts.push(data.subarray(at + 1, at + 1 + data[at]));
  return joined(parts);
}
