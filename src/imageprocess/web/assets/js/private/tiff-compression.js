// Decompressors for TIFF strips and tiles: `bytes` in, at maxBytes `maxBytes` bytes out; damaged data give what could be decoded.

/** Deflate in a zlib stream. */
export async function inflate(bytes, maxBytes) {
  const output = new Uint8Array(maxBytes);
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  let size = 0;
  try {
    while (size < maxBytes) {
      const { done, value } = await reader.read();
      if (done) break;
      output.set(value.subarray(0, maxBytes - size), size);
      size += Math.min(value.length, maxBytes - size);
    }
  } catch {} // damaged: keep what came before
  reader.cancel().catch(() => {});
  return output.subarray(0, size);
}

/** PackBits (TIFF 6.0, section 9): runs of one byte, or literal bytes. */
export function decodePackBits(bytes, maxBytes) {
  const output = new Uint8Array(maxBytes);
  let size = 0;
  for (let at = 0; at < bytes.length && size < maxBytes; ) {
    const head = (bytes[at++] << 24) >> 24;
    if (head >= 0) {
      const part = bytes.subarray(at, at + head + 1).subarray(0, maxBytes - size);
      output.set(part, size);
      size += part.length;
      at += head + 1;
    } else if (head !== -128) {
      const end = Math.min(maxBytes, size + 1 - head);
      output.fill(bytes[at++], size, end);
      size = end;
    }
  }
  return output.subarray(0, size);
}

const [CLEAR, END] = [256, 257];

/** LZW (TIFF 6.0, section 13): codes of 9 to 12 bits, most significant bit first, width raised one code early. */
export function decodeLzw(bytes, maxBytes) {
  const output = new Uint8Array(maxBytes);
  const [starts, lengths] = [new Int32Array(4097), new Int32Array(4097)]; // each code's string, as a range of `output`
  let [size, bits, buffer, at, width, next] = [0, 0, 0, 0, 9, 258];
  let previous = null; // [start, length] of the previous code's string
  while (size < maxBytes) {
    while (bits < width && at < bytes.length) {
      buffer = ((buffer << 8) | bytes[at++]) & 0xffffff;
      bits += 8;
    }
    if (bits < width) break;
    const code = (buffer >> (bits - width)) & ((1 << width) - 1);
    bits -= width;
    if (code === END) break;
    if (code === CLEAR) {
      [width, next, previous] = [9, 258, null];
      continue;
    }
    const start = size;
    if (code < 256) output[size++] = code;
    else {
      const isNew = code === next && previous;
      if (code > next || (!isNew && code >= next) || (code === next && !previous)) break; // damaged
      const [from, length] = isNew ? [previous[0], previous[1] + 1] : [starts[code], lengths[code]];
      for (let i = 0; i < length && size < maxBytes; i++) output[size++] = isNew && i === length - 1 ? output[previous[0]] : output[from + i];
    }
    if (previous && next < 4096) {
      [starts[next], lengths[next]] = [previous[0], previous[1] + 1];
      next += 1;
    }
    previous = [start, size - start];
    if (next >= (1 << width) - 1 && width < 12) width += 1;
  }
  return output.subarray(0, size);
}
