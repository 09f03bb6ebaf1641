// Service worker: keeps the pages available offline. Fresh files are preferred, cached ones are used without a network.
// The cache holds one release and is replaced as a whole. The model and its runtime are cached by version in
// assets/js/private/download-cache.js.

const SHELL = "imageprocess-shell";
const SHARED = "imageprocess-shared";

const urlOf = (path) => new URL(path, registration.scope).href;

/** Cache all files listed in shell.json, unless this very list is cached already. */
async function cacheShell() {
  const cache = await caches.open(SHELL);
  const listUrl = urlOf("shell.json");
  const list = await (await fetch(listUrl, { cache: "no-cache" })).text();
  const cached = await cache.match(listUrl);
  if (cached && (await cached.text()) === list) return;
  const paths = ["./", ...Object.keys(JSON.parse(list))];
  await cache.addAll(paths.map((path) => new Request(urlOf(path), { cache: "reload" }))); // all or nothing
  await cache.put(listUrl, new Response(list));
}

addEventListener("install", (event) => event.waitUntil(cacheShell().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method === "POST" && address.href === urlOf("share")) return event.respondWith(storeShared(request));
  if (request.method !== "GET" || !address.href.startsWith(registration.scope) || address.searchParams.has("v")) return;
  event.respondWith(networkFirst(request, address));
  if (request.mode === "navigate") event.waitUntil(cacheShell().catch(() => {})); // else at the next visit
});

/** Pictures shared from another app (the manifest's share_target): cached until share-target.js takes them, never sent. */
async function storeShared(request) {
  const files = (await request.formData()).getAll("file").filter((file) => file instanceof File);
  await caches.delete(SHARED);
  const cache = await caches.open(SHARED);
  await Promise.all(
    files.map((file, place) => {
      const headers = { "Content-Type": file.type || "application/octet-stream", "X-Name": encodeURIComponent(file.name) };
      return cache.put(urlOf(`share/${place}`), new Response(file, { headers }));
    }),
  );
  return Response.redirect(urlOf("predict.html#shared"), 303);
}

async function networkFirst(request, address) {
  try {
    return isolated(await fetch(request, { cache: "no-cache" }));
  } catch (error) {
    const cached = await caches.match(address.origin + address.pathname, { cacheName: SHELL }); // ?lang=he is the same file
    if (cached) return isolated(cached);
    throw error;
  }
}

/**
 * The response with the headers that isolate a page, which WebAssembly's threads require (serve/gate.py sends them too).
 * Static hosts cannot send them, so a page of theirs has threads from its second visit on.
 */
function isolated(response) {
  if (response.redirected || !response.ok) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
