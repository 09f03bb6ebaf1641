// Finds the metadata records of a JPEG file (port of provenance/containers/jpeg.py).

import { latin1, Reader } from "./bytes.js";
import { EXIF, isUtf8, joined, MAX_RECORD_BYTES, starts } from "./records.js";

const MAX_PARTS = 65536;
const MAX_APP_TEXT_BYTES = 65536;
const MAX_TRAILER_ENTRIES = 64;
const COM = 0xfe;

// JPEG: marker segments from SOI to the first scan (ITU-T T.81, Annex B).

const EXTENDED_XMP = "http://ns.adobe.com/xmp/extension/\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const PHOTOSHOP = "Photoshop 3.0\0";

export function walkJpeg(data, records) {
  const extended = new Map(); // GUID -> [[offset, piece]]
  const jumbf = new Map(); // box instance -> pieces, in the file's order
  let jumbfBytes = 0;
  for (const [marker, body] of segments(data)) {
    if (marker === 0xe1 && starts(body, EXIF)) records.addExif(body);
    else if (marker === 0xe1 && starts(body, XMP)) records.addXmp(body.subarray(XMP.length));
    else if (marker === 0xe1 && starts(body, EXTENDED_XMP)) {
      const rest = body.subarray(EXTENDED_XMP.length);
      const guid = latin1(rest.subarray(0, 32));
      const piece = [rest.length >= 40 ? new Reader(rest).u32(36) : 0, rest.subarray(40)];
      extended.set(guid, [...(extended.get(guid) ?? []), piece]);
    }
    else if (marker === 0xed && starts(body, PHOTOSHOP)) records.iim ??= photoshopIptc(body.subarray(PHOTOSHOP.length));
    else if (marker === 0xeb && starts(body, "JP") && body.length >= 4 && jumbfBytes < MAX_RECORD_BYTES) {
      const instance = (body[2] << 8) | body[3];
      jumbf.set(instance, [...(jumbf.get(instance) ?? []), body]);
      jumbfBytes += body.length;
    } else if (marker === COM) records.addText("JPEG comment", "JPEG:comment", trimEndZeros(body));
    else if (isJsonText(body)) {
      const name = `APP${marker - 0xe0}`;
      records.addText(`JPEG ${name}`, `JPEG:${name}`, trimEndZeros(body));
    }
  }
  for (const pieces of extended.values()) records.addXmp(joined(pieces.sort(([a], [b]) => a - b).map(([, piece]) => piece)));
  records.store = joinJumbf(jumbf);
  readSamsungTrailer(data, records);
}

function* segments(data) {
  const reader = new Reader(data);
  let offset = 2;
  for (let count = 0; count < MAX_PARTS && offset + 4 <= data.length && data[offset] === 0xff; ) {
    const marker = data[offset + 1];
    if (marker === 0xff) offset += 1; // a fill byte
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) offset += 2;
    else if (marker === 0xda || marker === 0xd9) return;
    else {
      const size = reader.u16(offset + 2);
      if (size < 2 || offset + 2 + size > data.length) return;
      if ((marker >= 0xe0 && marker <= 0xef) || marker === COM) {
        count += 1;
        yield [marker, data.subarray(offset + 4, offset + 2 + size)];
      }
      offset += 2 + size;
    }
  }
}

/** The IPTC block (resource 0x0404) among Photoshop's image resources. */
export function photoshopIptc(blocks) {
  const reader = new Reader(blocks);
  for (let offset = 0; reader.ascii(offset, 4) === "8BIM" && offset + 12 <= blocks.length; ) {
    const nameEnd = offset + 7 + blocks[offset + 6];
    const sizeAt = nameEnd + ((nameEnd - offset) % 2);
    const size = reader.u32(sizeAt);
    if (reader.u16(offset + 4) === 0x0404) return blocks.subarray(sizeAt + 4, sizeAt + 4 + size);
    offset = sizeAt + 4 + size + (size % 2);
  }
  return null;
}

/** Join the C2PA superbox from its APP11 segments, each of which repeats the box header (ISO/IEC 19566-5, Annex D). */
function joinJumbf(instances) {
  for (const pieces of instances.values()) {
    const first = pieces[0].subarray(8);
    const header = starts(first, "\0\0\0\x01") ? 16 : 8;
    const store = joined([first, ...pieces.slice(1).map((piece) => piece.subarray(8 + header))]);
    if (isC2paStore(store)) return store;
  }
  return null;
}

/** Whether the description box (jumd) of a JUMBF superbox says that it is a C2PA manifest store. */
export function isC2paStore(box) {
  const header = starts(box, "\0\0\0\x01") ? 16 : 8;
  const reader = new Reader(box);
  return reader.ascii(4, 4) === "jumb" && reader.ascii(header + 4, 8) === "jumdc2pa";
}

/** Whether a non-standard application segment holds JSON, as GB 45438's label does. */
function isJsonText(body) {
  const head = latin1(body.subarray(0, 64)).trimStart();
  return body.length <= MAX_APP_TEXT_BYTES && /^(AIGC)?[\0: \n\r\t]*\{/.test(head) && isUtf8(body);
}

function trimEndZeros(body) {
  let end = body.length;
  while (end && body[end - 1] === 0) end -= 1;
  return body.subarray(0, end);
}

/** Samsung's SEF trailer at the end of the file: a directory whose entries point back from its start. */
function readSamsungTrailer(data, records) {
  const reader = new Reader(data);
  if (data.length < 20 || reader.ascii(data.length - 4, 4) !== "SEFT") return;
  const size = reader.u32le(data.length - 8);
  const head = data.length - 8 - size;
  if (size < 12 || head < 0 || reader.ascii(head, 4) !== "SEFH") return;
  const count = Math.min(reader.u32le(head + 8), MAX_TRAILER_ENTRIES);
  for (let entry = head + 12; entry < head + 12 + 12 * count && entry + 12 <= data.length; entry += 12) {
    const [back, length] = [reader.u32le(entry + 4), reader.u32le(entry + 8)];
    const block = back >= 8 && back <= head ? data.subarray(head - back, head - back + length) : new Uint8Array();
    if (block.length < 8) continue;
    const nameEnd = 8 + new Reader(block).u32le(4);
    const content = block.subarray(nameEnd);
    const isEditRecord = latin1(block.subarray(8, nameEnd)) === "PhotoEditor_Re_Edit_Data" && content.length <= MAX_APP_TEXT_BYTES;
    if (isEditRecord && isUtf8(content)) records.addText("Samsung trailer", "Samsung:PhotoEditor_Re_Edit_Data", content);
  }
}
