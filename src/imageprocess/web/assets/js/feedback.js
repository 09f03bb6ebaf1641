// Reports of wrong verdicts: a dialog with the text of the report, to copy, save or send. Loaded on demand.

import { byId } from "./dom.js";
import { download } from "./exports.js";
import { site } from "./site.js";
import { addTexts, language, t } from "./i18n.js";
import { headline } from "./wording.js";

if (language !== "en") await addTexts("feedback"); // in English they are in en.json

/** The report's text, without the picture and its name; in English, for whoever maintains the project. */
export function issueText({ record, where, mode }) {
  const { verdict, image, evidence, model } = record;
  const p = verdict.probability_ai === null ? "none" : verdict.probability_ai.toFixed(4);
  return [
    "### What the verdict was",
    `- ${verdict.label}, decided by ${verdict.decided_by}, probability_ai ${p}, mode ${mode}`,
    `- ${image.format}, ${image.width} x ${image.height}, ${image.bytes} bytes, ${image.frames} frame(s)`,
    `- model ${model ? `${model.name} ${model.version} ${model.sha256.slice(0, 12)}` : "none"}, checked ${where === "browser" ? "in the browser" : "on the service"}`,
    ...evidence.map(({ kind, trust, points_to: points }) => `- evidence: ${kind}, ${trust}, points to ${points}`),
    "",
    "### What the picture really is, and how I know",
    "",
    "",
  ].join("\n");
}

const isMail = () => site.issues.startsWith("mailto:");

/** Address of the issue form or e-mail, filled in. Mail programs do not decode "+" as a space. */
function submitUrl(title, body) {
  if (!isMail()) return `${site.issues}?${new URLSearchParams({ title, body })}`;
  return `${site.issues}?subject=${encodeURIComponent(title)}&body=${encodeURIComponent(body)}`;
}

function save(label, report) {
  download("wrong-verdict.json", "application/json", `${JSON.stringify({ title: `Wrong verdict: ${label}`, report }, null, 2)}\n`);
}

/** Open the dialog; sending is offered only if the site has an address for reports. */
export function openFeedback(item) {
  const dialog = byId("wrong");
  const text = byId("wrong-text");
  text.value = issueText(item);
  byId("wrong-copied").textContent = "";
  const link = byId("wrong-open");
  link.hidden = !site.issues;
  byId("wrong-whom").textContent = t(site.issues ? "wrong.whom" : "wrong.nobody");
  if (site.issues) {
    const address = () => submitUrl(`Wrong verdict: ${item.record.verdict.label}`, text.value);
    link.textContent = t(isMail() ? "wrong.mail" : "wrong.open");
    link.href = address();
    text.oninput = () => (link.href = address());
  }
  byId("wrong-save").onclick = () => save(item.record.verdict.label, text.value);
  dialog.setAttribute("aria-label", `${t("wrong.title")}: ${headline(item.record)}`);
  dialog.showModal();
}

byId("wrong-copy").addEventListener("click", async () => {
  const text = byId("wrong-text");
  try {
    await navigator.clipboard.writeText(text.value);
  } catch {
    text.select(); // no clipboard on plain http from another machine: select the text to be copied by hand
    return;
  }
  byId("wrong-copied").textContent = t("wrong.copied");
});
byId("wrong-close").addEventListener("click", () => byId("wrong").close());
