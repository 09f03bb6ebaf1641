// Runs the model: fetches a picture and returns its record, one picture at a time. In Chromium an offscreen document
// (engine.html), because service workers cannot start workers; in Firefox part of the background page.

import { detect } from "./assets/js/private/client.js";
import { language, t } from "./assets/js/i18n.js";
import { headline } from "./assets/js/wording.js";

const IDLE_MS = 180_000; // then the document closes, which frees the model's memory
const FETCH_TIMEOUT_MS = 60_000;

let queue = Promise.resolve(); // resolves when all checks so far are done
let idleTimer = null;

/** What the other parts of the extension can call. */
const calls = {
  /** Language and texts for the content scripts. */
  setup: () => ({
    language,
    words: { dir: document.documentElement.dir, needs: t("badge.needs"), failed: t("badge.failed"), pick: t("pick") },
  }),
  check(request) {
    const response = queue.then(() => check(request));
    queue = response.catch(() => {});
    return response;
  },
};

/** Check the picture at `url` (http, data: or a blob: of this extension) -> {record, headline, ...}, or {error: why}. */
async function check({ url, name, mode }) {
  let blob;
  try {
    blob = await fetchPicture(url);
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
  const { record, readableByService } = await detect(new File([blob], name), { mode });
  if (record.heatmap) record.heatmap.values = Array.from(record.heatmap.values, (value) => Math.round(1000 * value) / 1000);
  return { record, readableByService, headline: headline(record) };
}

async function fetchPicture(url) {
  // Without cookies and without the page's address.
  const response = await fetch(url, {
    credentials: "omit", referrerPolicy: "no-referrer", cache: "force-cache", signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
  return response.blob();
}

function restartIdleTimer() {
  clearTimeout(idleTimer);
  if (globalThis.document?.location.pathname === "/engine.html") idleTimer = setTimeout(() => window.close(), IDLE_MS);
}

chrome.runtime.onMessage.addListener((message, sender, sendResponse) => {
  if (message.to !== "engine" || !Object.hasOwn(calls, message.call)) return false;
  restartIdleTimer();
  Promise.resolve(calls[message.call](message)).then(sendResponse, (error) => sendResponse({ error: String(error?.message ?? error) }));
  return true; // the response is sent later
});
restartIdleTimer();
