// Texts of a record in the reader's language. A record's own sentences are English; in other languages they are rebuilt
// from its data.

import { weigh } from "./private/verdict.js";
import { addTexts, has, language, percent, t } from "./i18n.js";

const table = language === "en" ? null : await (await fetch("verdict.json")).json();
if (language !== "en") await addTexts("evidence");

// Deciders that are statements rather than estimates, with the kinds of evidence they come from.
const STATED = { c2pa: ["c2pa"], watermark: ["watermark"], metadata: ["iptc", "generator_metadata", "c2pa"] };

/**
 * The verdict in a few words (as report/words.py): statements are worded differently from the model's estimates and name
 * the generator if it is known.
 */
export function headline(record) {
  if (record.status === "error") return t("verdict.error");
  const { label, decided_by: by } = record.verdict;
  const stated = `verdict.${label}.stated`;
  const namesGenerator = ({ kind, points_to: points, detail }) => STATED[by]?.includes(kind) && points === "ai" && detail.generator;
  const maker = label === "ai" && record.evidence.find(namesGenerator)?.detail.generator;
  if (maker) return t(by === "watermark" ? "verdict.ai.mark" : "verdict.ai.file", { maker: shortName(maker) });
  return t(by in STATED && has(stated) ? stated : `grade.${gradeOf(record)}`);
}

export const GRADES = ["very_likely_ai", "likely_ai", "leaning_ai", "cannot_tell", "leaning_real", "likely_real", "very_likely_real"];
const UNGRADED = { ai: "likely_ai", real: "likely_real", unsure: "cannot_tell" };

/** The verdict's grade. Records stored by older versions have none. */
export const gradeOf = ({ verdict }) => verdict.grade ?? UNGRADED[verdict.label];

/** Without text in brackets, cut to the length of a headline. */
const shortName = (maker) => String(maker).replace(/ \(.*\)$/, "").slice(0, 60);

/** The message of an error, in the page's language if its code is known. */
export function failure({ code, message }, values) {
  const key = code === "corrupt" && values?.size === 0 ? "error.empty" : `error.${code}`;
  return has(key) ? t(key, values) : message;
}

export const thresholdsOf = (record) => record.evidence.find((item) => item.kind === "model")?.detail.thresholds ?? null;

/** The reason of the verdict in one or more sentences. */
export function reason(record) {
  if (!table) return keepTogether(record.verdict.reason);
  const { row, numbers, items, asides } = weigh(record.evidence, thresholdsOf(record), table);
  const claims = Object.fromEntries(Object.entries(items).map(([name, item]) => [name, item ? claim(item) : ""]));
  const values = { ...claims, ...numbers(percent) };
  return [`reason.${row.row}`, ...asides.map((name) => `reason.${name}`)].map((key) => t(key, values)).join(" ");
}

/** The claim of an item of evidence. */
export const claim = (item) => (table ? textOf("claim", item, item.claim) : keepTogether(item.claim));

/** Prevents a line break within "30 %". */
const keepTogether = (text) => text.replace(/(\d) %/g, "$1\u00a0%");

export const proves = (item) => textOf("proves", item, item.detail.proves);
export const provesNot = (item) => textOf("proves-not", item, item.detail.does_not_prove);

/** The most specific text for an item: by state or term and what it points to, by state, by what it points to, by kind. */
function textOf(what, item, original) {
  if (!table && original) return original;
  const { kind, trust, points_to: points, detail } = item;
  const state = detail.state ?? detail.how ?? detail.digital_source_type ?? (detail.credit ? "credit" : trust);
  const keys = [`${what}.${kind}.${state}.${points}`, `${what}.${kind}.${state}`, `${what}.${kind}.${points}`, `${what}.${kind}`];
  const key = keys.find(has);
  const { make, model } = detail;
  const isNamedBoth = model?.toLowerCase().startsWith(make?.toLowerCase().split(" ")[0]); // do not repeat the make, as in camera.py
  const camera = isNamedBoth ? model : [make, model].filter(Boolean).join(" ");
  const p = detail.probability_ai === undefined ? "" : percent(detail.probability_ai);
  return key ? t(key, { signer: "–", generator: "", ...detail, camera, p }) : (original ?? "");
}
