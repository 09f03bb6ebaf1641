// What the page's address brings: pictures that another app has shared with the installed page (sw.js has kept them), or
// the address of a picture elsewhere, which a page cannot read.

import { addTexts, t } from "./texts.js";

const SHARED = "imageprocess-shared"; // sw.js's

/** `add(files)` takes pictures, `tell(text)` says why an address cannot be read. */
export async function takeArrivals(add, tell) {
  const { hash } = location;
  if (hash.startsWith("#url=")) {
    await addTexts("arrivals");
    tell(t("url.refused"));
  }
  if (hash !== "#shared") return;
  history.replaceState(null, "", location.pathname + location.search); // a reload does not bring them again
  const cache = await caches.open(SHARED);
  const files = await Promise.all(
    (await cache.keys()).map(async (request) => {
      const response = await cache.match(request);
      return new File([await response.blob()], decodeURIComponent(response.headers.get("X-Name")), { type: response.headers.get("Content-Type") });
    }),
  );
  await caches.delete(SHARED);
  if (files.length) await add(files);
}
