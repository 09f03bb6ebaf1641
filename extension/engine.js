// Runs the model: fetches a picture's bytes and gives its record, one picture at a time. In Chromium an offscreen
// document (engine.html), because a service worker cannot start workers; in Firefox part of the background page.

import { detect } from "./assets/js/private/client.js";
import { language, t } from "./assets/js/texts.js";
import { headline } from "./assets/js/wording.js";

const IDLE_MS = 180_000; // then the document is closed, and the model's memory is free
const FETCH_TIMEOUT_MS = 60_000;

let last = Promise.resolve(); // the end of the queue
let idle = null;

const calls = {
  /** The few words that are shown in a page itself. */
  setup: () => ({
    language,
    words: { dir: document.documentElement.dir, needs: t("badge.needs"), unread: t("badge.unread"), pick: t("pick") },
  }),
  check(asked) {
    const answer = last.then(() => check(asked));
    last = answer.catch(() => {});
    return answer;
  },
};

/** A picture at `url` (http, data: or a blob: of this extension) -> {record, headline}, or {unread: why}. */
async function check({ url, name, mode }) {
  let blob;
  try {
    blob = await read(url);
  } catch (error) {
    return { unread: String(error.message ?? error) };
  }
  const { record, server } = await detect(new File([blob], name), { mode });
  if (record.heatmap) record.heatmap.values = Array.from(record.heatmap.values, (value) => Math.round(1000 * value) / 1000);
  return { record, server, headline: headline(record) };
}

async function read(url) {
  // Neither cookies nor the address of the page go with it.
  const response = await fetch(url, {
    credentials: "omit", referrerPolicy: "no-referrer", cache: "force-cache", signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
  return response.blob();
}

function stayAwake() {
  clearTimeout(idle);
  if (globalThis.document?.location.pathname === "/engine.html") idle = setTimeout(() => window.close(), IDLE_MS);
}

chrome.runtime.onMessage.addListener((message, sender, answer) => {
  if (message.to !== "engine" || !Object.hasOwn(calls, message.call)) return false;
  stayAwake();
  Promise.resolve(calls[message.call](message)).then(answer, (error) => answer({ unread: String(error?.message ?? error) }));
  return true; // the answer comes later
});
stayAwake();
