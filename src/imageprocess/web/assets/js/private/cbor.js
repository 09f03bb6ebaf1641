// @ts-nocheck
// Decodes CBOR (RFC 8949) as far as C2PA claims and assertions use it (port of provenance/c2pa/cbor.py). Maps stay Maps;
// tags are ignored. Throws a RangeError if the data are truncated or exceed the limits below.

const MAX_DEPTH = 32;
const MAX_ITEMS = 50_000;
const BREAK = Symbol("break");
const text = new TextDecoder();

export function decodeCbor(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let items = 0;

  const take = (size) => {
    if (at + size > bytes.length) throw new RangeError("truncated");
    at += size;
    return at - size;
  };
  const length = (info) => {
    if (info < 24) return info;
    if (info === 31) return null; // indefinite: until a break
    if (info > 27) throw new RangeError("reserved length");
    const place = take(1 << (info - 24));
    if (info === 24) return view.getUint8(place);
    if (info === 25) return view.getUint16(place);
    if (info === 26) return view.getUint32(place);
    return view.getUint32(place) * 2 ** 32 + view.getUint32(place + 4);
  };
  const simple = (info) => {
    if (info === 25) return take(2) && NaN; // half floats are not used by the fields we read
    if (info === 26) return view.getFloat32(take(4));
    if (info === 27) return view.getFloat64(take(8));
    if (info === 24) take(1);
    return { 20: false, 21: true, 31: BREAK }[info] ?? null;
  };
  const string = (size, depth) => {
    if (size !== null) return bytes.subarray(take(size), at);
    const parts = [];
    for (let part = item(depth + 1); part !== BREAK; part = item(depth + 1)) {
      parts.push(...(typeof part === "string" ? new TextEncoder().encode(part) : part instanceof Uint8Array ? part : []));
    }
    return Uint8Array.from(parts);
  };
  function item(depth) {
    items += 1;
    if (depth > MAX_DEPTH || items > MAX_ITEMS) throw new RangeError("nested too deep, or too many items");
    const first = bytes[take(1)];
    const [major, info] = [first >> 5, first & 31];
    if (major === 7) return simple(info);
    const size = length(info);
    if (major < 2) {
      if (size === null) throw new RangeError("number of indefinite length");
      return major ? -1 - size : size;
    }
    if (major === 2) return string(size, depth);
    if (major === 3) return text.decode(string(size, depth));
    if (major === 6) return item(depth + 1); // the tagged item
    const container = major === 4 ? [] : new Map();
    for (let i = 0; size === null || i < size; i++) {
      const key = item(depth + 1);
      if (key === BREAK) {
        if (size !== null) throw new RangeError("unexpected break");
        break;
      }
      if (major === 4) container.push(key);
      else {
        const value = item(depth + 1);
        if (["string", "number"].includes(typeof key)) container.set(key, value);
      }
    }
    return container;
  }
  return item(0);
}
