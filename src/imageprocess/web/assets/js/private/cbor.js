// @ts-nocheck
// CBOR (RFC 8949), as far as C2PA's claims and assertions use it (provenance/c2pa/cbor.py). Maps stay Maps; tags are read
// through. Throws a RangeError where it is cut off, or more than a real claim has.

const MAX_DEPTH = 32;
const MAX_ITEMS = 50_000;
const BREAK = Symbol("break");
const text = new TextDecoder();

export function decodeCbor(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let items = 0;

  const take = (size) => {
    if (at + size > bytes.length) throw new RangeError("cut off");
    at += size;
    return at - size;
  };
  const length = (short) => {
    if (short < 24) return short;
    if (short === 31) return null; // until a break
    if (short > 27) throw new RangeError("a reserved length");
    const place = take(1 << (short - 24));
    if (short === 24) return view.getUint8(place);
    if (short === 25) return view.getUint16(place);
    if (short === 26) return view.getUint32(place);
    return view.getUint32(place) * 2 ** 32 + view.getUint32(place + 4);
  };
  const simple = (short) => {
    if (short === 25) return take(2) && NaN; // half floats occur in none that is read
    if (short === 26) return view.getFloat32(take(4));
    if (short === 27) return view.getFloat64(take(8));
    if (short === 24) take(1);
    return { 20: false, 21: true, 31: BREAK }[short] ?? null;
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
    if (depth > MAX_DEPTH || items > MAX_ITEMS) throw new RangeError("too deep, or too much of it");
    const first = bytes[take(1)];
    const [major, short] = [first >> 5, first & 31];
    if (major === 7) return simple(short);
    const size = length(short);
    if (major < 2) {
      if (size === null) throw new RangeError("a number without end");
      return major ? -1 - size : size;
    }
    if (major === 2) return string(size, depth);
    if (major === 3) return text.decode(string(size, depth));
    if (major === 6) return item(depth + 1); // a tag: what it marks
    const found = major === 4 ? [] : new Map();
    for (let i = 0; size === null || i < size; i++) {
      const one = item(depth + 1);
      if (one === BREAK) {
        if (size !== null) throw new RangeError("a break where there is none");
        break;
      }
      if (major === 4) found.push(one);
      else {
        const value = item(depth + 1);
        if (["string", "number"].includes(typeof one)) found.set(one, value);
      }
    }
    return found;
  }
  return item(0);
}
