// On request, the service analyses re-saved copies, each view and the closest training sources (option `explain`), which
// takes nine times the work of a verdict.

import { explainSentences } from "./verdict-view.js";
import { el } from "./dom.js";
import { ServiceError, detect } from "./service.js";
import { t } from "./i18n.js";
import { service } from "./backends.js";
import { failure } from "./wording.js";

/** A section with a button, for a picture checked by the service. */
export function explainSection({ file, mode }) {
  const output = el("div", { "aria-live": "polite" });
  const button = el("button", { type: "button", class: "button plain" }, t("inspect.again"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    output.replaceChildren(t("inspect.again.busy"));
    output.replaceChildren(...(await explainFile(file, mode)));
    button.disabled = false;
  });
  return el("section", {}, el("h3", {}, t("inspect.again.title")), el("p", { class: "row" }, button), output);
}

async function explainFile(file, mode) {
  try {
    const record = await detect(file, { mode, heatmap: false, explain: true, key: service.key, signal: undefined });
    const { explain } = record.evidence?.find(({ kind }) => kind === "model")?.detail ?? {};
    if (explain) return explainSentences(explain).filter(Boolean).map((sentence) => el("p", {}, sentence));
    return [el("p", { class: "warning" }, record.error ? failure(record.error) : t("inspect.again.none"))];
  } catch (error) {
    return [el("p", { class: "warning" }, error instanceof ServiceError ? failure(error) : String(error))];
  }
}
