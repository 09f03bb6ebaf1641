// A history of verdicts, kept in this browser alone and only where a person switches it on: IndexedDB holds each record
// without its heat map, and a small preview.

import { drawing, toneOf, why } from "./answer.js";
import { byId, el } from "./dom.js";
import { language, percent, plural, t } from "./texts.js";
import { evidence } from "./evidence.js";
import { meter } from "./meter.js";
import { isHistoryOn, setHistoryOn } from "./storage.js";
import { failure, headline } from "./wording.js";

const STORE = "verdicts";
const MOST = 500; // entries kept; the oldest go first
const SIDE = 96;

let opened = null;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("imageprocess", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function within(mode, work) {
  const transaction = (await database()).transaction(STORE, mode);
  const request = work(transaction.objectStore(STORE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
  });
}

/** Keep a record, where the history is on. `canvas`: the card's preview. */
export async function remember(record, canvas) {
  if (!isHistoryOn()) return;
  const { heatmap, ...kept } = record;
  await within("readwrite", (store) => store.add({ at: Date.now(), record: kept, preview: shrunk(canvas) }));
  const keys = await within("readonly", (store) => store.getAllKeys());
  for (const key of keys.slice(0, Math.max(0, keys.length - MOST))) await within("readwrite", (store) => store.delete(key));
  await show();
}

/** ImageData: pixels can be kept without an address for them. */
function shrunk(canvas) {
  if (!canvas.width || !canvas.height) return null;
  const scale = SIDE / Math.max(canvas.width, canvas.height);
  const small = document.createElement("canvas");
  small.width = Math.max(1, Math.round(canvas.width * scale));
  small.height = Math.max(1, Math.round(canvas.height * scale));
  const context = small.getContext("2d");
  context.drawImage(canvas, 0, 0, small.width, small.height);
  return context.getImageData(0, 0, small.width, small.height);
}

async function show() {
  const entries = isHistoryOn() ? await within("readonly", (store) => store.getAll()) : [];
  byId("history-count").textContent = !isHistoryOn() ? "" : entries.length ? plural("history.count", entries.length) : t("history.empty");
  byId("history-clear").hidden = entries.length === 0;
  byId("history-list").replaceChildren(...entries.reverse().slice(0, 100).map(entry));
}

function entry({ at, record, preview }) {
  const canvas = el("canvas", { width: preview?.width ?? 1, height: preview?.height ?? 1, "aria-hidden": "true" });
  if (preview) canvas.getContext("2d").putImageData(preview, 0, 0);
  const p = record.verdict?.decided_by === "model" ? ` · ${percent(record.verdict.probability_ai)}` : "";
  const details = el(
    "details", {},
    el(
      "summary", {},
      canvas,
      el("bdi", {}, record.source),
      el("span", { class: "verdict" }, drawing(record), `${headline(record)}${p}`),
      el("time", { datetime: new Date(at).toISOString() }, new Date(at).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" })),
    ),
  );
  details.addEventListener("toggle", () => details.append(...told(record)), { once: true });
  return el("li", toneOf(record), details);
}

/** All that was kept of one picture. */
function told(record) {
  if (record.status === "error") return [el("p", { class: "reason" }, failure(record.error))];
  return [meter(record), ...why(record), evidence(record, null)].filter(Boolean);
}

async function clear() {
  await within("readwrite", (store) => store.clear());
  await show();
}

/** Follow the switch from now on, and take it as it is. */
export function wireHistory() {
  const box = byId("history-keep");
  const follow = async () => {
    setHistoryOn(box.checked);
    if (!box.checked) await clear();
    await show();
  };
  box.addEventListener("change", follow);
  byId("history-clear").addEventListener("click", clear);
  return follow();
}
