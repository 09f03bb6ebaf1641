// Thorough mode: a large model, downloaded once when a person asks for it, and kept by this browser until it is removed.

import { byId } from "./dom.js";
import { remove } from "./private/client.js";
import { isKept } from "./private/store.js";
import { site } from "./site.js";
import { storage } from "./storage.js";
import { bytes, t } from "./texts.js";
import { browser } from "./backends.js";

const FOLDER = "thorough/";
const NETWORK = new URL(`${FOLDER}model.onnx`, document.baseURI).href;
const SWITCH = "thorough"; // in localStorage: "on", or nothing

function set(on) {
  browser.which = on ? { folder: FOLDER } : undefined;
  byId("thorough-on").checked = on;
  if (on) storage?.setItem(SWITCH, "on");
  else storage?.removeItem(SWITCH);
}

/** The switch shows whether it costs a download, and the way to be rid of it. */
export async function showThorough() {
  const kept = await isKept(NETWORK);
  byId("thorough-label").textContent = kept ? t("thorough.kept") : t("thorough", { size: bytes(site.thorough.bytes) });
  byId("thorough-remove").hidden = !kept;
}

/** `changed()`: another model is to judge from now on. As it was left, unless that would cost a download. */
export async function wireThorough(changed) {
  if (storage?.getItem(SWITCH) === "on") set(await isKept(NETWORK));
  byId("thorough-on").addEventListener("change", async ({ target }) => {
    set(target.checked);
    if (!(await changed())) set(false);
    await showThorough();
  });
  byId("thorough-remove").addEventListener("click", async () => {
    const wasOn = browser.which !== undefined;
    set(false);
    await remove(NETWORK);
    await showThorough();
    byId("thorough-on").focus();
    if (wasOn) await changed();
  });
  await showThorough();
}
