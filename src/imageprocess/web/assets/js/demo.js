// The demo on the home page: checks a sample or the visitor's own picture and shows the verdict and the feature maps.

import { explanation, heading, verdictAttributes } from "./verdict-view.js";
import { byId, el } from "./dom.js";
import { evidence } from "./evidence.js";
import { drawFeatureMaps } from "./feature-maps.js";
import { meter } from "./meter.js";
import { drawPreview } from "./picture.js";
import { site } from "./site.js";
import { t } from "./i18n.js";
import { browser, service } from "./backends.js";
import { failure } from "./wording.js";

const backend = site.private ? browser : service;

let current = null; // the sample's button or the file chosen last

/** @param {HTMLElement} button of a sample; its data-file is in assets/samples */
export async function checkSample(button) {
  const name = button.dataset.file;
  await check(button, async () => new File([await (await fetch(`assets/samples/${name}`)).blob()], name));
}

/** Check the first of `files`; predict.html takes several. */
export async function checkOwnPicture(files) {
  byId("own-problem").hidden = true;
  byId("tried").scrollIntoView({ block: "nearest" });
  await check(files[0], () => files[0], files.length);
}

async function check(chosen, open, count = 1) {
  current = chosen;
  for (const other of byId("samples").children) other.setAttribute("aria-pressed", other === chosen);
  const output = byId("tried");
  output.hidden = false;
  output.replaceChildren(el("p", { class: "hint" }, t("try.looking")));
  try {
    const file = await open();
    const isOwn = chosen === file;
    const canvas = el("canvas", { role: "img", "aria-label": t("card.preview", { name: file.name }) });
    const [hasPreview] = await Promise.all([isOwn && drawPreview(file, canvas, 800), backend.load()]);
    if (isOwn) output.scrollIntoView({ block: "nearest" });
    const { record } = await backend.check(file, { mode: "balanced", signal: new AbortController().signal });
    if (current !== chosen) return; // another picture was chosen meanwhile
    const parts = record.status === "ok" ? result(record) : [el("p", { class: "warning" }, failure(record.error, { limit: backend.limit(), size: file.size }))];
    if (isOwn) parts.push(el("p", {}, el("a", { href: "predict.html" }, t(count > 1 ? "try.more" : "try.all"))));
    output.replaceChildren(...(hasPreview ? [canvas] : []), ...parts);
    if (isOwn) output.scrollIntoView({ block: "nearest", behavior: "smooth" });
    // If the illustrated network cannot be loaded, the static figure stays; the verdict does not depend on it.
    if (site.private && record.model) drawFeatureMaps(file, record.model.sha256).catch(console.warn);
  } catch (error) {
    output.replaceChildren(el("p", { class: "warning" }, error.code ? failure(error) : t("load.failed", { why: error.message })));
  }
}

function result(record) {
  return [
    el(
      "div", verdictAttributes(record),
      heading(record, "h3"),
      meter(record),
      explanation(record),
      el("p", { class: "hint" }, site.private ? el("a", { href: "#network" }, t("try.network")) : t("try.sent")),
    ),
    evidence(record, site.private ? "browser" : "service"),
  ];
}
