// A record's verdict as it is shown everywhere: its grade in words, colour and drawing, why, what such an answer has been
// worth, and what a person can do now.

import { el, icon } from "./dom.js";
import { has, number, percent, t } from "./texts.js";
import { GRADES, gradeOf, headline, reason } from "./wording.js";

/** A family that is less likely is not named among the closest. */
const LIKELY = 0.15;

/** The attributes that give an element the verdict's colour. */
export const toneOf = (record) => ({ "data-label": record.verdict?.label ?? "error", "data-grade": record.verdict ? gradeOf(record) : null });

/** The drawing: a weak grade's is a question mark in its side's colour. */
export function drawing(record) {
  if (!record.verdict) return icon("error");
  const grade = gradeOf(record);
  return icon(/^leaning|^cannot/.test(grade) ? "unsure" : grade.split("_").pop());
}

/** [[grade in words, how many]], the strongest for AI first, those that failed last. */
export function counted(records) {
  const grades = records.map((record) => (record.verdict ? gradeOf(record) : "failed"));
  const count = (grade) => grades.filter((found) => found === grade).length;
  const told = [...GRADES.map((grade) => [t(`grade.${grade}`), count(grade)]), [t("verdict.error"), count("failed")]];
  return told.filter(([, many]) => many > 0);
}

export const heading = (record, level = "h2") => el(level, { class: "verdict" }, drawing(record), headline(record));

/** Why, on what grounds, what the grade has meant, and what can be done. */
export function why(record) {
  const { decided_by: by, measured, advice = [] } = record.verdict;
  return [
    el("p", { class: "reason" }, reason(record)),
    measured && el("p", { class: "meaning" }, meaning(measured, gradeOf(record)), " ", el("span", { class: "hint", dir: "auto" }, basis(measured))),
    ...beside(record).map((said) => el("p", { class: "beside" }, said)),
    el("p", { class: "decided" }, `${t("decided")} `, el("b", {}, t(`decided.${by}`))),
    advice.length > 0 &&
      el("div", { class: "advice" }, el("p", {}, el("b", {}, t("advice"))), el("ul", {}, advice.filter((name) => has(`advice.${name}`)).map((name) => el("li", {}, t(`advice.${name}`))))),
  ].filter(Boolean);
}

/** The maker and second looks, where the model's evidence has them, as report/words.py says them. */
function beside({ evidence }) {
  const { maker, explain } = evidence.find((item) => item.kind === "model")?.detail ?? {};
  return [...(maker ? [made(maker)] : []), ...(explain ? explained(explain) : [])].filter(Boolean);
}

function made({ family, name, probability, top3 }) {
  if (family) return t("maker.named", { name, p: percent(probability) });
  const likely = top3.filter((one) => one.family !== "other" && one.probability >= LIKELY).map((one) => one.name);
  return likely.length > 0 && t("maker.open", { names: likely.join(", ") });
}

export function explained({ copies, views = [], closest_sources: sources = [] }) {
  const range = { low: percent(copies.lowest), high: percent(copies.highest) };
  const told = views.filter((view) => view.side);
  const nameOf = (index) => t(index ? "explain.view.crop" : "explain.view.whole", { number: index });
  const each = told.map(({ side }, index) => t(`explain.side.${side}`, { view: nameOf(index) }));
  const names = sources.map(({ source, label }) => t(`explain.source.${label}`, { name: source }));
  return [
    t(`explain.copies.${copies.side}`, { same: copies.same_side, total: copies.total, ...range }),
    each.length > 0 && t("explain.views", { views: each.join("; ") }),
    names.length > 0 && t("explain.sources", { names: names.join(", ") }),
  ];
}

/** "In our test, 93 of 100 ...", as report/words.py says it. */
function meaning({ ai_share: share }, grade) {
  const isReal = grade.endsWith("_real");
  return t(isReal ? "measured.real" : "measured.ai", { count: of100(isReal ? 1 - share : share) });
}

const basis = ({ pictures, sources }) => t("measured.basis", { pictures: number(pictures), sources: number(sources) });

/** Never 0 or 100 of 100: the next picture may be the first one. */
function of100(share) {
  if (share > 0.99) return t("measured.over", { count: number(99) });
  if (share < 0.01) return t("measured.under", { count: number(1) });
  return number(Math.round(100 * share));
}
