// Builds a zip of files without compression, because pictures do not get smaller (APPNOTE.TXT 6.3.10, sections 4.3.7,
// 4.3.12, 4.3.16).

const UTF8 = 0x0800; // general purpose bit 11: names are UTF-8
const VERSION = 20;
const MAX_BYTES = 0xffffffff; // more would need zip64

const CRC = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** [[path, Blob]] -> parts of the zip, for the Blob constructor; files are not copied. */
export async function zip(files) {
  const stamp = dosTime(new Date());
  const [parts, directory] = [[], []];
  let at = 0;
  for (const [path, blob] of files) {
    const name = new TextEncoder().encode(path);
    const common = [VERSION, 2, UTF8, 2, 0, 2, stamp, 4, await crcOf(path, blob), 4, blob.size, 4, blob.size, 4, name.length, 2, 0, 2];
    directory.push(record(0x02014b50, 4, VERSION, 2, ...common, 0, 2, 0, 2, 0, 2, 0, 4, at, 4), name);
    const head = record(0x04034b50, 4, ...common);
    parts.push(head, name, blob);
    at += head.length + name.length + blob.size;
    if (at > MAX_BYTES) throw new Error("the pictures are larger than 4 GB together");
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  return [...parts, ...directory, record(0x06054b50, 4, 0, 2, 0, 2, files.length, 2, files.length, 2, length, 4, at, 4, 0, 2)];
}

/** (value, size in bytes), ... as little-endian bytes. */
function record(...fields) {
  const bytes = [];
  for (let i = 0; i < fields.length; i += 2) for (let byte = 0; byte < fields[i + 1]; byte++) bytes.push((fields[i] >>> (8 * byte)) & 255);
  return Uint8Array.from(bytes);
}

async function crcOf(path, blob) {
  let crc = 0xffffffff;
  try {
    for (const reader = blob.stream().getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return (crc ^ 0xffffffff) >>> 0;
      for (const byte of value) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
    }
  } catch {
    throw new Error(`${path}: the file can no longer be read`);
  }
}

const dosTime = (date) =>
  (((date.getFullYear() - 1980) << 25) | ((date.getMonth() + 1) << 21) | (date.getDate() << 16) | (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1)) >>> 0;
