// What the model says of copies of a picture, of each view of it, and which sources it comes close to: worked out by the
// service when a person asks for it, since it takes nine times the work of a verdict.

import { explained } from "./answer.js";
import { el } from "./dom.js";
import { ServiceError, detect } from "./service.js";
import { t } from "./texts.js";
import { service } from "./backends.js";
import { failure } from "./wording.js";

/** A section with a button, for a picture that the service has judged. */
export function secondLooks({ file, mode }) {
  const told = el("div", { "aria-live": "polite" });
  const start = el("button", { type: "button", class: "button plain" }, t("inspect.again"));
  start.addEventListener("click", async () => {
    start.disabled = true;
    told.replaceChildren(t("inspect.again.busy"));
    told.replaceChildren(...(await look(file, mode)));
    start.disabled = false;
  });
  return el("section", {}, el("h3", {}, t("inspect.again.title")), el("p", { class: "row" }, start), told);
}

async function look(file, mode) {
  try {
    const record = await detect(file, { mode, heatmap: false, explain: true, key: service.key, signal: undefined });
    const { explain } = record.evidence?.find(({ kind }) => kind === "model")?.detail ?? {};
    if (explain) return explained(explain).filter(Boolean).map((said) => el("p", {}, said));
    return [el("p", { class: "warning" }, record.error ? failure(record.error) : t("inspect.again.none"))];
  } catch (error) {
    return [el("p", { class: "warning" }, error instanceof ServiceError ? failure(error) : String(error))];
  }
}
