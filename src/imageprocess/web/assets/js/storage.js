// The settings that this browser stores for the page.

import { byId } from "./dom.js";

let available = null;
try {
  available = localStorage;
} catch {} // throws where storage is blocked

/** localStorage, or null where it is blocked. */
export const storage = available;

const HISTORY = "history"; // "on", or absent

export const isHistoryOn = () => storage?.getItem(HISTORY) === "on";

export function setHistoryOn(on) {
  if (on) storage.setItem(HISTORY, "on");
  else storage.removeItem(HISTORY);
}

export const history = () => import("./history.js"); // fetched once a history is kept

/** Show the history's checkbox where there is storage. */
export function wireHistory() {
  if (!storage) return;
  const box = byId("history-keep");
  byId("history").hidden = false;
  box.checked = isHistoryOn();
  const wire = async () => (await history()).wireHistory();
  if (box.checked) wire();
  else box.addEventListener("change", wire, { once: true });
}
