// Bounds-checked reading of untrusted bytes. Reading a number past the end throws a RangeError; strings and lists of
// chunks are cut at the end instead.

const MAX_PARTS = 65536; // segments, chunks or boxes read from one file

export class Reader {
  constructor(data) {
    this.data = data;
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.length = data.length;
  }

  u8 = (at) => this.view.getUint8(at);
  u16 = (at) => this.view.getUint16(at);
  u32 = (at) => this.view.getUint32(at);
  u64 = (at) => this.u32(at) * 2 ** 32 + this.u32(at + 4);
  u16le = (at) => this.view.getUint16(at, true);
  u24le = (at) => this.u16le(at) | (this.u8(at + 2) << 16);
  u32le = (at) => this.view.getUint32(at, true);
  i32le = (at) => this.view.getInt32(at, true);

  /** `count` bytes as text, one character per byte; shorter at the end of the data. */
  ascii(at, count) {
    return latin1(this.data.subarray(at, at + count));
  }

  /** ISO base media file format boxes between two offsets: {kind, start and end of the body}. */
  boxes(start, end) {
    const parts = [];
    while (start + 8 <= end && parts.length < MAX_PARTS) {
      let length = this.u32(start);
      let header = 8;
      if (length === 1) {
        if (start + 16 > end) break;
        length = this.u64(start + 8);
        header = 16;
      } else if (length === 0) length = end - start;
      if (length < header || start + length > end) break;
      parts.push({ kind: this.ascii(start + 4, 4), start: start + header, end: start + length });
      start += length;
    }
    return parts;
  }

  /** PNG chunks up to IEND: {kind, start of the body, size}. */
  pngChunks() {
    const parts = [];
    for (let at = 8; at + 8 <= this.length && parts.length < MAX_PARTS; ) {
      const kind = this.ascii(at + 4, 4);
      if (kind === "IEND") break;
      const length = this.u32(at);
      parts.push({ kind, start: at + 8, size: length });
      at += 12 + length;
    }
    return parts;
  }

  /** RIFF chunks within the size stated in the file's header: {kind, start of the body, size}. */
  riffChunks() {
    const parts = [];
    if (this.length < 12) return parts;
    const end = Math.min(8 + this.u32le(4), this.length);
    for (let at = 12; at + 8 <= end && parts.length < MAX_PARTS; ) {
      const length = this.u32le(at + 4);
      if (at + 8 + length > end) break;
      parts.push({ kind: this.ascii(at, 4), start: at + 8, size: length });
      at += 8 + length + (length % 2);
    }
    return parts;
  }
}

export const latin1 = (bytes) => {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
};

const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8Lenient = new TextDecoder("utf-8", { ignoreBOM: true });

/** `text` without `blanks` at both ends. Not a regular expression, which would take quadratic time on long runs of blanks. */
export function stripped(text, blanks = "\0 \n\r\t") {
  let [from, to] = [0, text.length];
  while (from < to && blanks.includes(text[from])) from += 1;
  while (to > from && blanks.includes(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

export const utf8 = (bytes) => utf8Lenient.decode(bytes);

/** Decodes as UTF-8 if valid, else as Latin-1. */
export function utf8OrLatin1(bytes) {
  try {
    return utf8Strict.decode(bytes);
  } catch {
    return latin1(bytes);
  }
}
