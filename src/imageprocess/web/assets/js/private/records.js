// The metadata records of a file as raw bytes, and the limits on how much is read (port of
// provenance/containers/records.py).

import { latin1, utf8, utf8OrLatin1 } from "./bytes.js";

export const MAX_RECORD_BYTES = 16_000_000; // one XMP packet, EXIF block or manifest store
export const MAX_TEXTS = 256;
const MAX_TEXT_BYTES = 16_000_000; // all texts together, after decompression
const MAX_PACKETS = 8; // XMP packets, and EXIF blocks
export const EXIF = "Exif\0\0";

const DECODERS = { latin1, utf8 };

/** `iim`, `store` (C2PA manifests): bytes or null; `exif`: blocks, the main one first; `xmp`: packets; `texts`: {place, name, text}. */
export class Records {
  exif = [];
  iim = null;
  store = null;
  xmp = [];
  texts = [];
  room = MAX_TEXT_BYTES; // bytes of text that may still be added

  /** Decoded as UTF-8 if valid, else Latin-1, unless `encoding` is given. */
  addText(place, name, bytes, encoding = null) {
    if (this.texts.length >= MAX_TEXTS || bytes.length > this.room) return;
    this.room -= bytes.length;
    this.texts.push({ place, name, text: (DECODERS[encoding] ?? utf8OrLatin1)(bytes) });
  }

  /** JPEG's prefix, which some writers also put in other containers, is removed. */
  addExif(block) {
    const tiff = block && starts(block, EXIF) ? block.subarray(EXIF.length) : block;
    if (tiff?.length && this.exif.length < MAX_PACKETS) this.exif.push(tiff);
  }

  addXmp(packet) {
    if (packet?.length && this.xmp.length < MAX_PACKETS) this.xmp.push(packet.subarray(0, MAX_RECORD_BYTES));
  }
}

export const capped = (data, start, size) =>
  size > MAX_RECORD_BYTES || start < 0 || start + size > data.length ? null : data.subarray(start, start + size);

export const starts = (bytes, prefix) => latin1(bytes.subarray(0, prefix.length)) === prefix;

/** [bytes before, bytes after] the first zero byte. */
export function split(bytes) {
  const zero = bytes.indexOf(0);
  return zero < 0 ? [bytes, new Uint8Array()] : [bytes.subarray(0, zero), bytes.subarray(zero + 1)];
}

export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

const strict = new TextDecoder("utf-8", { fatal: true });

export function isUtf8(bytes) {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
