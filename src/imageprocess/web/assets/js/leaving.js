// What a person takes away from one picture: a printed report, or the text of a report that a verdict is wrong. Fetched
// when first asked for.

import { addStyle, byId, el } from "./dom.js";
import { download } from "./exports.js";
import { site } from "./site.js";
import { addTexts, bytes, language, number, t } from "./texts.js";
import { headline } from "./wording.js";

await Promise.all([addStyle("print.css"), ...["report", language !== "en" && "leaving"].filter(Boolean).map(addTexts)]);

/** Print one card, with what identifies the file and the model, and nothing else of the page. */
export function printReport(item) {
  const { record, card } = item;
  const { format, width, height } = record.image;
  const facts = {
    name: record.source,
    sha256: record.sha256,
    mode: byId("mode").querySelector(`[value=${item.mode}]`).textContent,
    format: t("card.facts", { format, width: number(width), height: number(height), size: bytes(record.image.bytes) }),
  };
  const date = new Date().toLocaleString(language, { dateStyle: "long", timeStyle: "short" });
  const { name = "–", version = "", sha256 = "" } = record.model ?? {};
  const head = el(
    "div", { class: "report" },
    el("h2", {}, t("report.title")),
    el("dl", { class: "record" }, Object.entries(facts).flatMap(([key, value]) => [el("dt", {}, t(`report.${key}`)), el("dd", {}, value)])),
    el("p", { class: "hint" }, t("report.made", { date, model: t("model.line", { name, version, sha: sha256.slice(0, 12) }) })),
  );
  const folded = [...card.element.querySelectorAll("details:not([open])")];
  folded.forEach((details) => (details.open = true));
  card.element.prepend(head);
  card.element.classList.add("printed");
  document.body.classList.add("printing");
  addEventListener("afterprint", () => {
    head.remove();
    folded.forEach((details) => (details.open = false));
    card.element.classList.remove("printed");
    document.body.classList.remove("printing");
  }, { once: true });
  print();
}

/** A report without the picture and without its name. English: whoever reads it may not read the page's language. */
export function issueText({ record, where, mode }) {
  const { verdict, image, evidence, model } = record;
  const p = verdict.probability_ai === null ? "none" : verdict.probability_ai.toFixed(4);
  return [
    "### What the verdict was",
    `- ${verdict.label}, decided by ${verdict.decided_by}, probability_ai ${p}, mode ${mode}`,
    `- ${image.format}, ${image.width} x ${image.height}, ${image.bytes} bytes, ${image.frames} frame(s)`,
    `- model ${model ? `${model.name} ${model.version} ${model.sha256.slice(0, 12)}` : "none"}, looked at ${where === "browser" ? "in the browser" : "on the service"}`,
    ...evidence.map(({ kind, trust, points_to: points }) => `- evidence: ${kind}, ${trust}, points to ${points}`),
    "",
    "### What the picture really is, and how I know",
    "",
    "",
  ].join("\n");
}

const isMail = () => site.issues.startsWith("mailto:");

/** The issue's form, or the mail, filled in. A mail program takes a plus for a plus. */
function recipient(title, body) {
  if (!isMail()) return `${site.issues}?${new URLSearchParams({ title, body })}`;
  return `${site.issues}?subject=${encodeURIComponent(title)}&body=${encodeURIComponent(body)}`;
}

function save(label, report) {
  download("wrong-verdict.json", "application/json", `${JSON.stringify({ title: `Wrong verdict: ${label}`, report }, null, 2)}\n`);
}

/** Open the dialog with the text; it can be copied, kept as a file, or sent where this site knows an address for it. */
export function openWrong(item) {
  const dialog = byId("wrong");
  const text = byId("wrong-text");
  text.value = issueText(item);
  byId("wrong-copied").textContent = "";
  const link = byId("wrong-open");
  link.hidden = !site.issues;
  byId("wrong-whom").textContent = t(site.issues ? "wrong.whom" : "wrong.nobody");
  if (site.issues) {
    const address = () => recipient(`Wrong verdict: ${item.record.verdict.label}`, text.value);
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
    text.select(); // no clipboard on plain http to another machine: a person copies by hand
    return;
  }
  byId("wrong-copied").textContent = t("wrong.copied");
});
byId("wrong-close").addEventListener("click", () => byId("wrong").close());
