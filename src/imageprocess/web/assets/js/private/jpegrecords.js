// JPEG's records (provenance/containers/jpeg.py).

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
    } else if (marker === COM) records.addText("JPEG comment", "JPEG:comment", withoutEnd(body));
    else if (isText(body)) {
      const name = `APP${marker - 0xe0}`;
      records.addText(`JPEG ${name}`, `JPEG:${name}`, withoutEnd(body));
    }
  }
  for (const pieces of extended.values()) records.addXmp(joined(pieces.sort(([a], [b]) => a - b).map(([, piece]) => piece)));
  records.store = joinJumbf(jumbf);
  readSamsungTrailer(data, records);
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
      if ((marker >= 0xe0 && marker <= 0xef) || marker === COM) {
        found += 1;
        yield [marker, data.subarray(place + 4, place + 2 + size)];
      }
      place += 2 + size;
    }
  }
}

/** The IPTC block (resource 0x0404) among Photoshop's image resources. */
export function photoshopIptc(blocks) {
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
    const store = joined([first, ...pieces.slice(1).map((piece) => piece.subarray(8 + header))]);
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

/** Whether an application segment that no standard names holds JSON, as GB 45438's label does. */
function isText(body) {
  const head = latin1(body.subarray(0, 64)).trimStart();
  return body.length <= MAX_APP_TEXT_BYTES && /^(AIGC)?[\0: \n\r\t]*\{/.test(head) && isUtf8(body);
}

function withoutEnd(body) {
  let end = body.length;
  while (end && body[end - 1] === 0) end -= 1;
  return body.subarray(0, end);
}

/** Samsung's SEF trailer, read from the file's end: a directory whose entries point back from where it begins. */
function readSamsungTrailer(data, records) {
  const at = new Reader(data);
  if (data.length < 20 || at.ascii(data.length - 4, 4) !== "SEFT") return;
  const size = at.u32le(data.length - 8);
  const head = data.length - 8 - size;
  if (size < 12 || head < 0 || at.ascii(head, 4) !== "SEFH") return;
  const count = Math.min(at.u32le(head + 8), MAX_TRAILER_ENTRIES);
  for (let entry = head + 12; entry < head + 12 + 12 * count && entry + 12 <= data.length; entry += 12) {
    const [back, length] = [at.u32le(entry + 4), at.u32le(entry + 8)];
    const block = back >= 8 && back <= head ? data.subarray(head - back, head - back + length) : new Uint8Array();
    if (block.length < 8) continue;
    const nameEnd = 8 + new Reader(block).u32le(4);
    const content = block.subarray(nameEnd);
    const isRead = latin1(block.subarray(8, nameEnd)) === "PhotoEditor_Re_Edit_Data" && content.length <= MAX_APP_TEXT_BYTES;
    if (isRead && isUtf8(content)) records.addText("Samsung trailer", "Samsung:PhotoEditor_Re_Edit_Data", content);
  }
}
