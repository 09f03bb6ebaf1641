// The large files of private mode: fetched once, kept in the browser's cache under their version, an older version
// dropped. Where there is no cache (plain http to another machine), fetched each time.

const CACHE = "imageprocess-private";
const PART_BYTES = 8 << 20;

const opened = () => globalThis.caches?.open(CACHE).catch(() => null);
const withVersion = (address, version) => new URL(`${address}?v=${encodeURIComponent(version)}`, location.href).href;

/** The bytes of `address`; `version` names its content. `report(loaded, total)` as they arrive. */
export async function load(address, version, report = () => {}) {
  const versioned = withVersion(address, version);
  const cache = await opened();
  const kept = await cache?.match(versioned);
  const response = kept ?? (await fetch(versioned));
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  const bytes = await collect(response, report);
  if (cache && !kept) {
    await forgetOthers(cache, versioned);
    // A full disk is no reason not to go on.
    await cache.put(versioned, new Response(bytes, { headers: { "Content-Type": "application/octet-stream" } })).catch(() => {});
  }
  return bytes;
}

/**
 * As `load`, of a file that takes minutes: each part is kept as it is complete, and a download that was broken off goes
 * on after the last. From a file server that gives no parts, the whole file at once.
 */
export async function loadInParts(address, version, report = (_done, _total) => {}) {
  const versioned = withVersion(address, version);
  const cache = await opened();
  if (cache) await forgetOthers(cache, versioned);
  let [bytes, loaded, total] = [null, 0, Infinity];
  while (loaded < total) {
    const place = `${versioned}&from=${loaded}`;
    const kept = await cache?.match(place);
    const response = kept ?? (await fetch(versioned, { headers: { Range: `bytes=${loaded}-${loaded + PART_BYTES - 1}` }, cache: "no-store" }));
    if (!response.ok) throw new Error(`${address}: ${response.status}`);
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "");
    if (range ? Number(range[1]) !== loaded : response.status === 206) throw new Error(`${address}: not the part that was asked for`);
    if (!range) loaded = 0;
    const length = Number(response.headers.get("Content-Length")) || 0;
    total = range ? Number(range[2]) : length;
    const part = await collect(response, (done, whole) => report(loaded + done, Math.max(total, range ? 0 : whole)));
    if (!range) total = part.length;
    if (!part.length) throw new Error(`${address}: it ended early`);
    bytes ??= new Uint8Array(total);
    bytes.set(part, loaded);
    if (cache && !kept) {
      const headers = { "Content-Range": `bytes ${loaded}-${loaded + part.length - 1}/${total}` };
      await cache.put(range ? place : `${versioned}&from=0`, new Response(part, { headers })).catch(() => {});
    }
    loaded += part.length;
  }
  return bytes;
}

/** Drop what is kept of `address`, in any version. */
export async function forget(address) {
  const cache = await opened();
  if (cache) await forgetOthers(cache, new URL(address, location.href).href);
}

async function collect(response, report) {
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

/** Is anything of `address` kept, all of it or a part? */
export async function isKept(address) {
  const { href } = new URL(address, location.href);
  const kept = (await (await opened())?.keys()) ?? [];
  return kept.some(({ url }) => url.startsWith(`${href}?`));
}

/** What is kept of the same address under other versions. */
async function forgetOthers(cache, versioned) {
  const { origin, pathname, searchParams } = new URL(versioned);
  for (const request of await cache.keys()) {
    const kept = new URL(request.url);
    const isSame = kept.origin === origin && kept.pathname === pathname;
    if (isSame && kept.searchParams.get("v") !== searchParams.get("v")) await cache.delete(request);
  }
}
