// Settings stored in this browser (localStorage).

import { byId } from "./dom.js";

let available = null;
try {
  available = localStorage;
} catch {} // throws if storage is blocked

/** localStorage, or null if it is blocked. */
export const storage = available;

const HISTORY = "history"; // "on", or absent

export const isHistoryOn = () => storage?.getItem(HISTORY) === "on";

export function setHistoryOn(on) {
  if (on) storage.setItem(HISTORY, "on");
  else storage.removeItem(HISTORY);
}

export const history = () => import("./history.js"); // loaded only if the history is used

/** Show the history's checkcheckbox, unless storage is blocked. */
export function wireHistory() {
  if (!storage) return;
  const checkbox = byId("history-keep");
  byId("history").hidden = false;
  checkbox.checked = isHistoryOn();
  const wire = async () => (await history()).wireHistory();
  if (checkbox.checked) wire();
  else checkbox.addEventListener("change", wire, { once: true });
}
