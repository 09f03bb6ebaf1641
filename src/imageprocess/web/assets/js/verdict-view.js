// Renders a record's verdict: icon, grade in words, reason, what the grade means, and advice.

import { el, icon } from "./dom.js";
import { has, number, percent, t } from "./i18n.js";
import { GRADES, gradeOf, headline, reason } from "./wording.js";

/** Generator families less likely than this are not named. */
const MIN_FAMILY_PROBABILITY = 0.15;

/** The attributes that select the verdict's colour in CSS. */
export const verdictAttributes = (record) => ({ "data-label": record.verdict?.label ?? "error", "data-grade": record.verdict ? gradeOf(record) : null });

/** The verdict's icon; weak grades have a question mark in the colour of their side. */
export function verdictIcon(record) {
  if (!record.verdict) return icon("error");
  const grade = gradeOf(record);
  return icon(/^leaning|^cannot/.test(grade) ? "unsure" : grade.split("_").pop());
}

/** [[grade in words, count]], from the strongest for AI to failed records. */
export function countByGrade(records) {
  const grades = records.map((record) => (record.verdict ? gradeOf(record) : "failed"));
  const count = (grade) => grades.filter((each) => each === grade).length;
  const counts = [...GRADES.map((grade) => [t(`grade.${grade}`), count(grade)]), [t("verdict.error"), count("failed")]];
  return counts.filter(([, number]) => number > 0);
}

export const heading = (record, level = "h2") => el(level, { class: "verdict" }, verdictIcon(record), headline(record));

/** The explanation of a verdict: reason, measured precision of the grade, what it is based on, advice. */
export function explanation(record) {
  const { decided_by: by, measured, advice = [] } = record.verdict;
  return [
    el("p", { class: "reason" }, reason(record)),
    measured && el("p", { class: "meaning" }, meaning(measured, gradeOf(record)), " ", el("span", { class: "hint", dir: "auto" }, basis(measured))),
    ...modelNotes(record).map((sentence) => el("p", { class: "beside" }, sentence)),
    el("p", { class: "decided" }, `${t("decided")} `, el("b", {}, t(`decided.${by}`))),
    advice.length > 0 &&
      el("div", { class: "advice" }, el("p", {}, el("b", {}, t("advice"))), el("ul", {}, advice.filter((name) => has(`advice.${name}`)).map((name) => el("li", {}, t(`advice.${name}`))))),
  ].filter(Boolean);
}

/** Sentences on the likely generator and the `explain` results in the model's evidence (as report/words.py). */
function modelNotes({ evidence }) {
  const { maker, explain } = evidence.find((item) => item.kind === "model")?.detail ?? {};
  return [...(maker ? [makerSentence(maker)] : []), ...(explain ? explainSentences(explain) : [])].filter(Boolean);
}

function makerSentence({ family, name, probability, top3 }) {
  if (family) return t("maker.named", { name, p: percent(probability) });
  const likely = top3.filter((one) => one.family !== "other" && one.probability >= MIN_FAMILY_PROBABILITY).map((one) => one.name);
  return likely.length > 0 && t("maker.open", { names: likely.join(", ") });
}

/** The `explain` results in sentences: re-saved copies, each view, closest training sources. */
export function explainSentences({ copies, views = [], closest_sources: sources = [] }) {
  const range = { low: percent(copies.lowest), high: percent(copies.highest) };
  const decidedViews = views.filter((view) => view.side);
  const nameOf = (index) => t(index ? "explain.view.crop" : "explain.view.whole", { number: index });
  const sentences = decidedViews.map(({ side }, index) => t(`explain.side.${side}`, { view: nameOf(index) }));
  const names = sources.map(({ source, label }) => t(`explain.source.${label}`, { name: source }));
  return [
    t(`explain.copies.${copies.side}`, { same: copies.same_side, total: copies.total, ...range }),
    sentences.length > 0 && t("explain.views", { views: sentences.join("; ") }),
    names.length > 0 && t("explain.sources", { names: names.join(", ") }),
  ];
}

/** "In our test, 93 of 100 ..." (as report/words.py). */
function meaning({ ai_share: share }, grade) {
  const isReal = grade.endsWith("_real");
  return t(isReal ? "measured.real" : "measured.ai", { count: countOf100(isReal ? 1 - share : share) });
}

const basis = ({ pictures, sources }) => t("measured.basis", { pictures: number(pictures), sources: number(sources) });

/** A share as a count of 100; never 0 or 100, because the next picture may be the first exception. */
function countOf100(share) {
  if (share > 0.99) return t("measured.over", { count: number(99) });
  if (share < 0.01) return t("measured.under", { count: number(1) });
  return number(Math.round(100 * share));
}
