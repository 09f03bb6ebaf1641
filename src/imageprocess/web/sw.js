// Keeps the pages for when the network is away: fresh ones first, kept ones where none come. What is kept is of one
// release, and replaced as a whole. The network and what runs it are kept by assets/js/private/store.js, under their
// versions.

const SHELL = "imageprocess-shell";
const SHARED = "imageprocess-shared";

const here = (path) => new URL(path, registration.scope).href;

/** Keep all that shell.json names, unless it is what is kept already. */
async function keepAll() {
  const cache = await caches.open(SHELL);
  const list = here("shell.json");
  const told = await (await fetch(list, { cache: "no-cache" })).text();
  const kept = await cache.match(list);
  if (kept && (await kept.text()) === told) return;
  const paths = ["./", ...Object.keys(JSON.parse(told))];
  await cache.addAll(paths.map((path) => new Request(here(path), { cache: "reload" }))); // all or none
  await cache.put(list, new Response(told));
}

addEventListener("install", (event) => event.waitUntil(keepAll().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method === "POST" && address.href === here("share")) return event.respondWith(receive(request));
  if (request.method !== "GET" || !address.href.startsWith(registration.scope) || address.searchParams.has("v")) return;
  event.respondWith(answer(request, address));
  if (request.mode === "navigate") event.waitUntil(keepAll().catch(() => {})); // or at the next visit
});

/** Pictures that another app shares (the manifest's share_target): kept until the page takes them, and sent nowhere. */
async function receive(request) {
  const files = (await request.formData()).getAll("file").filter((file) => file instanceof File);
  await caches.delete(SHARED);
  const cache = await caches.open(SHARED);
  await Promise.all(
    files.map((file, place) => {
      const headers = { "Content-Type": file.type || "application/octet-stream", "X-Name": encodeURIComponent(file.name) };
      return cache.put(here(`share/${place}`), new Response(file, { headers }));
    }),
  );
  return Response.redirect(here("predict.html#shared"), 303);
}

async function answer(request, address) {
  try {
    return await fetch(request, { cache: "no-cache" });
  } catch (error) {
    const kept = await caches.match(address.origin + address.pathname, { cacheName: SHELL }); // ?lang=he is the same file
    if (kept) return kept;
    throw error;
  }
}
