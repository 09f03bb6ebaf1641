// How TIFF packs its strips and tiles: `bytes`, and how many there are unpacked at most. -> what could be unpacked.

/** Deflate, as zlib wraps it. */
export async function inflate(bytes, most) {
  const whole = new Uint8Array(most);
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  let size = 0;
  try {
    while (size < most) {
      const { done, value } = await reader.read();
      if (done) break;
      whole.set(value.subarray(0, most - size), size);
      size += Math.min(value.length, most - size);
    }
  } catch {} // damaged: what came before
  reader.cancel().catch(() => {});
  return whole.subarray(0, size);
}

/** PackBits (TIFF 6.0, section 9): runs of one byte, or of bytes as they are. */
export function unpackBits(bytes, most) {
  const whole = new Uint8Array(most);
  let size = 0;
  for (let at = 0; at < bytes.length && size < most; ) {
    const head = (bytes[at++] << 24) >> 24;
    if (head >= 0) {
      const part = bytes.subarray(at, at + head + 1).subarray(0, most - size);
      whole.set(part, size);
      size += part.length;
      at += head + 1;
    } else if (head !== -128) {
      const end = Math.min(most, size + 1 - head);
      whole.fill(bytes[at++], size, end);
      size = end;
    }
  }
  return whole.subarray(0, size);
}

const [CLEAR, END] = [256, 257];

/** LZW (TIFF 6.0, section 13): codes of 9 to 12 bits, the highest bit first, one width early. */
export function unpackLzw(bytes, most) {
  const whole = new Uint8Array(most);
  const [starts, lengths] = [new Int32Array(4097), new Int32Array(4097)]; // a code's text lies in what is unpacked
  let [size, bits, held, at, width, next] = [0, 0, 0, 0, 9, 258];
  let before = null; // [start, length] of the code before
  while (size < most) {
    while (bits < width && at < bytes.length) {
      held = ((held << 8) | bytes[at++]) & 0xffffff;
      bits += 8;
    }
    if (bits < width) break;
    const code = (held >> (bits - width)) & ((1 << width) - 1);
    bits -= width;
    if (code === END) break;
    if (code === CLEAR) {
      [width, next, before] = [9, 258, null];
      continue;
    }
    const start = size;
    if (code < 256) whole[size++] = code;
    else {
      const isNew = code === next && before;
      if (code > next || (!isNew && code >= next) || (code === next && !before)) break; // damaged
      const [from, length] = isNew ? [before[0], before[1] + 1] : [starts[code], lengths[code]];
      for (let i = 0; i < length && size < most; i++) whole[size++] = isNew && i === length - 1 ? whole[before[0]] : whole[from + i];
    }
    if (before && next < 4096) {
      [starts[next], lengths[next]] = [before[0], before[1] + 1];
      next += 1;
    }
    before = [start, size - start];
    if (next >= (1 << width) - 1 && width < 12) width += 1;
  }
  return whole.subarray(0, size);
}
