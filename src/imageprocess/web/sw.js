// Keeps the pages for when the network is away: fresh ones first, kept ones where none come. The network and what runs it
// are kept by assets/js/private/store.js, under their versions.

const SHELL = "imageprocess-shell";

const here = (path) => new URL(path, registration.scope).href;

async function keepAll() {
  const cache = await caches.open(SHELL);
  const shell = await (await fetch(here("shell.json"), { cache: "reload" })).json();
  await cache.addAll(["./", ...shell].map((path) => new Request(here(path), { cache: "reload" })));
}

addEventListener("install", (event) => event.waitUntil(keepAll().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || !address.href.startsWith(registration.scope) || address.searchParams.has("v")) return;
  event.respondWith(answer(event, request, address));
});

async function answer(event, request, address) {
  const cache = await caches.open(SHELL);
  const key = address.origin + address.pathname; // ?lang=he is the same file
  try {
    const fresh = await fetch(request, { cache: "no-cache" });
    if (fresh.ok && (await cache.match(key))) event.waitUntil(cache.put(key, fresh.clone()));
    return fresh;
  } catch (error) {
    const kept = await cache.match(key);
    if (kept) return kept;
    throw error;
  }
}
