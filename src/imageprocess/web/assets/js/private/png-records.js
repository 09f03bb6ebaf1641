// Finds the metadata records of a PNG file (port of provenance/containers/png.py).

import { latin1, Reader } from "./bytes.js";
import { photoshopIptc } from "./jpeg-records.js";
import { capped, EXIF, MAX_TEXTS, split, starts } from "./records.js";

const XMP = "http://ns.adobe.com/xap/1.0/\0";
const RAW_PROFILE = "Raw profile type ";

export async function walkPng(data, records) {
  let chunks = 0;
  for (const { kind, start, size } of new Reader(data).pngChunks()) {
    if (["tEXt", "zTXt", "iTXt"].includes(kind) && chunks < MAX_TEXTS && records.room > 0) {
      chunks += 1;
      await addTextChunk(records, kind, capped(data, start, size) ?? new Uint8Array());
    } else if (kind === "eXIf") records.addExif(capped(data, start, size));
    else if (kind === "caBX") records.store ??= capped(data, start, size);
  }
}

/** Store one text chunk as the kind of record it holds. */
async function addTextChunk(records, kind, body) {
  const [name, value] = split(body);
  const keyword = latin1(name.subarray(0, 79));
  let rest = value;
  if (kind === "zTXt") rest = await inflate(rest.subarray(1), records.room);
  else if (kind === "iTXt") {
    const [, after] = split(value.subarray(2)); // the language
    [, rest] = split(after); // the translated keyword
    if (value[0] === 1) rest = await inflate(rest, records.room);
  }
  if (keyword === "XML:com.adobe.xmp") records.addXmp(rest);
  else if (keyword.startsWith(RAW_PROFILE)) addRawProfile(records, keyword.slice(RAW_PROFILE.length), rest);
  // tEXt is Latin-1 by the standard, but several generators write UTF-8.
  else if (!records.texts.some((text) => text.name === keyword)) {
    records.addText("PNG text", keyword, rest, { tEXt: null, zTXt: "latin1", iTXt: "utf8" }[kind]);
  }
}

/** ImageMagick's "Raw profile": another format's record as text: name, size in bytes, hexadecimal digits. */
function addRawProfile(records, name, text) {
  const [head, size] = /^\s*\w+(?: \w+)*\s+(\d+)\s/.exec(latin1(text.subarray(0, 200))) ?? [];
  const digits = head === undefined ? "" : latin1(text.subarray(head.length)).replace(/\s+/g, "");
  if (digits.length % 2 || /[^0-9a-fA-F]/.test(digits)) return;
  const profile = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16)).subarray(0, Number(size));
  if (["exif", "APP1"].includes(name) && [EXIF, "II*\0", "MM\0*"].some((head) => starts(profile, head))) {
    records.addExif(profile);
  } else if (["xmp", "APP1"].includes(name)) records.addXmp(starts(profile, XMP) ? profile.subarray(XMP.length) : profile);
  else if (["iptc", "8bim"].includes(name)) {
    const block = profile[0] === 0x1c ? profile : null; // without Photoshop's wrapper
    records.iim ??= photoshopIptc(profile) ?? block;
  }
}

/** At most `room` bytes of a zlib stream; from a damaged one, the bytes before the damage. */
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
  } catch {} // damaged: keep what came before
  reader.cancel().catch(() => {});
  return new Uint8Array(await new Blob(whole).arrayBuffer());
}

