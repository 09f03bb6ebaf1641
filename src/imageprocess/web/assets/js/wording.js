// Records in the reader's language. A record's own sentences are English, the same from every door; in another language
// they are said anew, from what the record knows.

import { weigh } from "./private/verdict.js";
import { addTexts, has, language, percent, t } from "./texts.js";

const table = language === "en" ? null : await (await fetch("verdict.json")).json();
if (language !== "en") await addTexts("evidence");

// The kinds of evidence that a statement comes from.
const STATED = { c2pa: ["c2pa"], watermark: ["watermark"], metadata: ["iptc", "generator_metadata", "c2pa"] };

/**
 * The verdict in a few words, report/words.py's: what a statement decides sounds different from what the model estimates,
 * and names the maker where a record or a mark gives one.
 */
export function headline(record) {
  if (record.status === "error") return t("verdict.error");
  const { label, decided_by: by } = record.verdict;
  const stated = `verdict.${label}.stated`;
  const named = ({ kind, points_to: points, detail }) => STATED[by]?.includes(kind) && points === "ai" && detail.generator;
  const maker = label === "ai" && record.evidence.find(named)?.detail.generator;
  if (maker) return t(by === "watermark" ? "verdict.ai.mark" : "verdict.ai.file", { maker: shortened(maker) });
  return t(by in STATED && has(stated) ? stated : `grade.${gradeOf(record)}`);
}

export const GRADES = ["very_likely_ai", "likely_ai", "leaning_ai", "cannot_tell", "leaning_real", "likely_real", "very_likely_real"];
const UNGRADED = { ai: "likely_ai", real: "likely_real", unsure: "cannot_tell" };

/** How strongly the verdict speaks for its side. One that was kept before there were grades has none. */
export const gradeOf = ({ verdict }) => verdict.grade ?? UNGRADED[verdict.label];

/** Without what it says in brackets, and as long as a headline may be. */
const shortened = (maker) => String(maker).replace(/ \(.*\)$/, "").slice(0, 60);

/** Why a file failed, in the page's words where it has some. */
export function failure({ code, message }, values) {
  const key = code === "corrupt" && values?.size === 0 ? "error.empty" : `error.${code}`;
  return has(key) ? t(key, values) : message;
}

export const thresholdsOf = (record) => record.evidence.find((item) => item.kind === "model")?.detail.thresholds ?? null;

/** The sentence that says why. */
export function reason(record) {
  if (!table) return unbroken(record.verdict.reason);
  const { row, numbers, items, asides } = weigh(record.evidence, thresholdsOf(record), table);
  const claims = Object.fromEntries(Object.entries(items).map(([name, item]) => [name, item ? claim(item) : ""]));
  const words = { ...claims, ...numbers(percent) };
  return [`reason.${row.row}`, ...asides.map((name) => `reason.${name}`)].map((key) => t(key, words)).join(" ");
}

/** What an item says. */
export const claim = (item) => (table ? said("claim", item, item.claim) : unbroken(item.claim));

/** "30 %" stays on one line. */
const unbroken = (text) => text.replace(/(\d) %/g, "$1\u00a0%");

export const proves = (item) => said("proves", item, item.detail.proves);
export const provesNot = (item) => said("proves-not", item, item.detail.does_not_prove);

/** The most exact text there is for this kind of item: by its state or term, by what it points to, by its kind. */
function said(what, item, original) {
  if (!table && original) return original;
  const { kind, trust, points_to: points, detail } = item;
  const state = detail.state ?? detail.how ?? detail.digital_source_type ?? (detail.credit ? "credit" : trust);
  const keys = [`${what}.${kind}.${state}.${points}`, `${what}.${kind}.${state}`, `${what}.${kind}.${points}`, `${what}.${kind}`];
  const key = keys.find(has);
  const { make, model } = detail;
  const isNamedBoth = model?.toLowerCase().startsWith(make?.toLowerCase().split(" ")[0]); // once is enough, as in camera.py
  const camera = isNamedBoth ? model : [make, model].filter(Boolean).join(" ");
  const p = detail.probability_ai === undefined ? "" : percent(detail.probability_ai);
  return key ? t(key, { signer: "–", generator: "", ...detail, camera, p }) : (original ?? "");
}
