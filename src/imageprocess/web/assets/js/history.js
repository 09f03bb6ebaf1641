// An optional history of verdicts, stored in this browser only (IndexedDB): each record without its heat map, and a small
// preview.

import { explanation, verdictAttributes, verdictIcon } from "./verdict-view.js";
import { byId, el } from "./dom.js";
import { language, percent, plural, t } from "./i18n.js";
import { evidence } from "./evidence.js";
import { meter } from "./meter.js";
import { isHistoryOn, setHistoryOn } from "./storage.js";
import { failure, headline } from "./wording.js";

const STORE = "verdicts";
const MAX_ENTRIES = 500; // the oldest are deleted
const PREVIEW_SIDE = 96; // pixels

let opening = null; // promise of the database

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("imageprocess", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function inTransaction(mode, operation) {
  const transaction = (await database()).transaction(STORE, mode);
  const request = operation(transaction.objectStore(STORE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
  });
}

/** Add a record, if the history is on. `canvas`: the card's preview. */
export async function addToHistory(record, canvas) {
  if (!isHistoryOn()) return;
  const { heatmap, ...withoutHeatmap } = record;
  await inTransaction("readwrite", (store) => store.add({ at: Date.now(), record: withoutHeatmap, preview: thumbnail(canvas) }));
  const keys = await inTransaction("readonly", (store) => store.getAllKeys());
  for (const key of keys.slice(0, Math.max(0, keys.length - MAX_ENTRIES))) await inTransaction("readwrite", (store) => store.delete(key));
  await render();
}

/** A small copy as ImageData, which IndexedDB can store. */
function thumbnail(canvas) {
  if (!canvas.width || !canvas.height) return null;
  const scale = PREVIEW_SIDE / Math.max(canvas.width, canvas.height);
  const small = document.createElement("canvas");
  small.width = Math.max(1, Math.round(canvas.width * scale));
  small.height = Math.max(1, Math.round(canvas.height * scale));
  const context = small.getContext("2d");
  context.drawImage(canvas, 0, 0, small.width, small.height);
  return context.getImageData(0, 0, small.width, small.height);
}

async function render() {
  const entries = isHistoryOn() ? await inTransaction("readonly", (store) => store.getAll()) : [];
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
      el("span", { class: "verdict" }, verdictIcon(record), `${headline(record)}${p}`),
      el("time", { datetime: new Date(at).toISOString() }, new Date(at).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" })),
    ),
  );
  details.addEventListener("toggle", () => details.append(...recordView(record)), { once: true });
  return el("li", verdictAttributes(record), details);
}

/** The stored result of one picture. */
function recordView(record) {
  if (record.status === "error") return [el("p", { class: "reason" }, failure(record.error))];
  return [meter(record), ...explanation(record), evidence(record, null)].filter(Boolean);
}

async function clear() {
  await inTransaction("readwrite", (store) => store.clear());
  await render();
}

/** Connect the history's checkbox and button, and render the stored entries. */
export function wireHistory() {
  const checkbox = byId("history-keep");
  const update = async () => {
    setHistoryOn(checkbox.checked);
    if (!checkbox.checked) await clear();
    await render();
  };
  checkbox.addEventListener("change", update);
  byId("history-clear").addEventListener("click", clear);
  return update();
}
