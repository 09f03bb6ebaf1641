// Downloads the large files of private mode once and keeps them in the browser's Cache Storage by version; older versions
// are removed. Without Cache Storage (plain http from another machine) they are downloaded each time.

const CACHE = "imageprocess-private";
const PART_BYTES = 8 << 20;

const openCache = () => globalThis.caches?.open(CACHE).catch(() => null);
const withVersion = (address, version) => new URL(`${address}?v=${encodeURIComponent(version)}`, location.href).href;

/**
 * @param {string | URL} address @param {string} version identifies the content
 * @param {(loaded: number, total: number) => void} report progress in bytes @returns {Promise<Uint8Array>}
 */
export async function download(address, version, report = () => {}) {
  const versioned = withVersion(address, version);
  const cache = await openCache();
  const cached = await cache?.match(versioned);
  const response = cached ?? (await fetch(versioned));
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  const bytes = await readAll(response, report);
  if (cache && !cached) {
    await removeOtherVersions(cache, versioned);
    // A full disk is not an error: the file is downloaded again next time.
    await cache.put(versioned, new Response(bytes, { headers: { "Content-Type": "application/octet-stream" } })).catch(() => {});
  }
  return bytes;
}

/**
 * Like `download`, for large files: requests parts and caches each, so that an interrupted download can be resumed. If
 * the server does not support range requests, the whole file is downloaded at once.
 */
export async function downloadInParts(address, version, report = (_done, _total) => {}) {
  const versioned = withVersion(address, version);
  const cache = await openCache();
  if (cache) await removeOtherVersions(cache, versioned);
  let [bytes, loaded, total] = [null, 0, Infinity];
  while (loaded < total) {
    const partUrl = `${versioned}&from=${loaded}`;
    const cached = await cache?.match(partUrl);
    const response = cached ?? (await fetch(versioned, { headers: { Range: `bytes=${loaded}-${loaded + PART_BYTES - 1}` }, cache: "no-store" }));
    if (!response.ok) throw new Error(`${address}: ${response.status}`);
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "");
    if (range ? Number(range[1]) !== loaded : response.status === 206) throw new Error(`${address}: the server sent another range than requested`);
    if (!range) loaded = 0;
    const length = Number(response.headers.get("Content-Length")) || 0;
    total = range ? Number(range[2]) : length;
    const part = await readAll(response, (done, whole) => report(loaded + done, Math.max(total, range ? 0 : whole)));
    if (!range) total = part.length;
    if (!part.length) throw new Error(`${address}: the download ended early`);
    bytes ??= new Uint8Array(total);
    bytes.set(part, loaded);
    if (cache && !cached) {
      const headers = { "Content-Range": `bytes ${loaded}-${loaded + part.length - 1}/${total}` };
      await cache.put(range ? partUrl : `${versioned}&from=0`, new Response(part, { headers })).catch(() => {});
    }
    loaded += part.length;
  }
  return bytes;
}

/** Remove all cached versions of `address`. */
export async function removeCached(address) {
  const cache = await openCache();
  if (cache) await removeOtherVersions(cache, new URL(address, location.href).href);
}

async function readAll(response, report) {
  const total = Number(response.headers.get("Content-Length")) || 0;
  const parts = [];
  let loaded = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    report(loaded, Math.max(total, loaded));
  }
  const bytes = new Uint8Array(loaded);
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}

/** Whether `address`, or a part of it, is cached. */
export async function isCached(address) {
  const { href } = new URL(address, location.href);
  const requests = (await (await openCache())?.keys()) ?? [];
  return requests.some(({ url }) => url.startsWith(`${href}?`));
}

/** Remove cached copies of the same address with another version. */
async function removeOtherVersions(cache, versioned) {
  const { origin, pathname, searchParams } = new URL(versioned);
  for (const request of await cache.keys()) {
    const cached = new URL(request.url);
    const isSame = cached.origin === origin && cached.pathname === pathname;
    if (isSame && cached.searchParams.get("v") !== searchParams.get("v")) await cache.delete(request);
  }
}
