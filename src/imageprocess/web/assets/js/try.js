// A sample or a visitor's own picture, looked at: its verdict with all that goes with it, and what the drawn network sees
// in it.

import { heading, toneOf, why } from "./answer.js";
import { byId, el } from "./dom.js";
import { evidence } from "./evidence.js";
import { drawLive } from "./live.js";
import { meter } from "./meter.js";
import { drawPreview } from "./picture.js";
import { site } from "./site.js";
import { t } from "./texts.js";
import { browser, service } from "./backends.js";
import { failure } from "./wording.js";

const backend = site.private ? browser : service;

let last = null; // what was chosen last

/** `button`: the sample's; its data-file is under assets/samples. */
export async function trySample(button) {
  const name = button.dataset.file;
  await look(button, async () => new File([await (await fetch(`assets/samples/${name}`)).blob()], name));
}

/** The first of `files`; for more there is a page of its own. */
export async function tryOwn(files) {
  byId("own-problem").hidden = true;
  byId("tried").scrollIntoView({ block: "nearest" });
  await look(files[0], () => files[0], files.length);
}

async function look(chosen, open, count = 1) {
  last = chosen;
  for (const other of byId("samples").children) other.setAttribute("aria-pressed", other === chosen);
  const shown = byId("tried");
  shown.hidden = false;
  shown.replaceChildren(el("p", { class: "hint" }, t("try.looking")));
  try {
    const file = await open();
    const isOwn = chosen === file;
    const canvas = el("canvas", { role: "img", "aria-label": t("card.preview", { name: file.name }) });
    const [hasPreview] = await Promise.all([isOwn && drawPreview(file, canvas, 800), backend.load()]);
    if (isOwn) shown.scrollIntoView({ block: "nearest" });
    const { record } = await backend.check(file, { mode: "balanced", signal: new AbortController().signal });
    if (last !== chosen) return; // another was chosen meanwhile
    const parts = record.status === "ok" ? told(record) : [el("p", { class: "warning" }, failure(record.error, { limit: backend.limit(), size: file.size }))];
    if (isOwn) parts.push(el("p", {}, el("a", { href: "predict.html" }, t(count > 1 ? "try.more" : "try.all"))));
    shown.replaceChildren(...(hasPreview ? [canvas] : []), ...parts);
    if (isOwn) shown.scrollIntoView({ block: "nearest", behavior: "smooth" });
    // The drawn network may not be at hand. The verdict does not hang on it, and the drawing that was there stays.
    if (site.private && record.status === "ok") drawLive(file, record.model.sha256).catch(console.warn);
  } catch (error) {
    shown.replaceChildren(el("p", { class: "warning" }, error.code ? failure(error) : t("load.failed", { why: error.message })));
  }
}

function told(record) {
  return [
    el(
      "div", toneOf(record),
      heading(record, "h3"),
      meter(record),
      why(record),
      el("p", { class: "hint" }, site.private ? el("a", { href: "#network" }, t("try.network")) : t("try.sent")),
    ),
    evidence(record, site.private ? "browser" : "service"),
  ];
}
