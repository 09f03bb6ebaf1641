// Thorough mode: a large model that is downloaded on request and kept by this browser until it is removed.

import { byId } from "./dom.js";
import { removeDownload } from "./private/client.js";
import { isCached } from "./private/download-cache.js";
import { site } from "./site.js";
import { storage } from "./storage.js";
import { bytes, t } from "./i18n.js";
import { browser } from "./backends.js";

const FOLDER = "thorough/";
const MODEL = new URL(`${FOLDER}model.onnx`, document.baseURI).href;
const SETTING = "thorough"; // localStorage key: "on" or absent

function setEnabled(on) {
  browser.model = on ? { folder: FOLDER } : undefined;
  byId("thorough-on").checked = on;
  if (on) storage?.setItem(SETTING, "on");
  else storage?.removeItem(SETTING);
}

/** Update the label (with the download's size, if not cached) and the remove button. */
export async function updateControls() {
  const cached = await isCached(MODEL);
  byId("thorough-label").textContent = cached ? t("thorough.kept") : t("thorough", { size: bytes(site.thorough.bytes) });
  byId("thorough-remove").hidden = !cached;
}

/** Connect the controls. `onChange()` is called when the model changes. The saved setting is restored if the model is cached. */
export async function wireThorough(onChange) {
  if (storage?.getItem(SETTING) === "on") setEnabled(await isCached(MODEL));
  byId("thorough-on").addEventListener("change", async ({ target }) => {
    setEnabled(target.checked);
    if (!(await onChange())) setEnabled(false);
    await updateControls();
  });
  byId("thorough-remove").addEventListener("click", async () => {
    const wasOn = browser.model !== undefined;
    setEnabled(false);
    await removeDownload(MODEL);
    await updateControls();
    byId("thorough-on").focus();
    if (wasOn) await onChange();
  });
  await updateControls();
}
