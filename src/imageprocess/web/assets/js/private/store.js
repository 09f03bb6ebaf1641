// The large files of private mode: fetched once, kept in the browser's cache under their version, an older version
// dropped. Where there is no cache (plain http to another machine), fetched each time.

const CACHE = "imageprocess-private";

/** The bytes of `address`; `version` names its content. `report(loaded, total)` as they arrive. */
export async function load(address, version, report = () => {}) {
  const versioned = new URL(`${address}?v=${encodeURIComponent(version)}`, location.href).href;
  const cache = await globalThis.caches?.open(CACHE).catch(() => null);
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

async function forgetOthers(cache, versioned) {
  const path = new URL(versioned).pathname;
  for (const request of await cache.keys()) {
    if (new URL(request.url).pathname === path && request.url !== versioned) await cache.delete(request);
  }
}
