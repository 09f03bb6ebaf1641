// The settings that this browser stores for the page.

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
