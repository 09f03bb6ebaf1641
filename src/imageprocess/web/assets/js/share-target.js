// Takes pictures shared from other apps (stored by sw.js), and explains why a picture's address cannot be opened.

import { addTexts, t } from "./i18n.js";

const SHARED = "imageprocess-shared"; // same as in sw.js

/** @param {(files: File[]) => any} addFiles @param {(text: string) => void} showProblem */
export async function handleAddressHash(addFiles, showProblem) {
  const { hash } = location;
  if (hash.startsWith("#url=")) {
    await addTexts("share-target");
    showProblem(t("url.refused"));
  }
  if (hash !== "#shared") return;
  history.replaceState(null, "", location.pathname + location.search); // so that a reload does not add them again
  const cache = await caches.open(SHARED);
  const files = await Promise.all(
    (await cache.keys()).map(async (request) => {
      const response = await cache.match(request);
      return new File([await response.blob()], decodeURIComponent(response.headers.get("X-Name")), { type: response.headers.get("Content-Type") });
    }),
  );
  await caches.delete(SHARED);
  if (files.length) await addFiles(files);
}
