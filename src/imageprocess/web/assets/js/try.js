// A sample, looked at: its verdict with all that goes with it, and what the network's blocks see in it.

import { byId, el, icon } from "./dom.js";
import { evidence } from "./evidence.js";
import { drawLive } from "./live.js";
import { meter } from "./meter.js";
import { site } from "./site.js";
import { t } from "./texts.js";
import { browser, service } from "./witnesses.js";
import { failure, headline, reason } from "./wording.js";

const witness = site.private ? browser : service;

/** `button`: the sample's; its data-file is under assets/samples. */
export async function tryOne(button) {
  for (const other of byId("samples").children) other.setAttribute("aria-pressed", other === button);
  const shown = byId("tried");
  shown.hidden = false;
  shown.replaceChildren(el("p", { class: "hint" }, t("try.looking")));
  const name = button.dataset.file;
  try {
    const file = new File([await (await fetch(`assets/samples/${name}`)).blob()], name);
    await witness.load();
    const { record } = await witness.check(file, { mode: "balanced", signal: new AbortController().signal });
    if (button.getAttribute("aria-pressed") !== "true") return; // another was chosen meanwhile
    shown.replaceChildren(...(record.status === "ok" ? told(record) : [el("p", { class: "warning" }, failure(record.error))]));
    // The drawn network may not be at hand. The verdict does not hang on it, and the drawing that was there stays.
    if (site.private && record.status === "ok") drawLive(file, record.model.sha256).catch(console.warn);
  } catch (error) {
    shown.replaceChildren(el("p", { class: "warning" }, error.code ? failure(error) : t("load.failed", { why: error.message })));
  }
}

function told(record) {
  const { label } = record.verdict;
  return [
    el(
      "div", { "data-label": label },
      el("h3", { class: "verdict" }, icon(label), headline(record)),
      meter(record),
      el("p", {}, reason(record)),
      el("p", { class: "hint" }, site.private ? el("a", { href: "#network" }, t("try.network")) : t("try.sent")),
    ),
    evidence(record, site.private ? "browser" : "service"),
  ];
}
