// Decides the verdict from the evidence, by the table that Python reads too (verdict.json). Pure functions.

const first = (evidence, test) => evidence.find(test) ?? null;
const isSigned = (item) => item.kind === "c2pa" && item.trust === "trusted";

function isAiClaim(item) {
  if (item.points_to !== "ai") return false;
  if (item.kind === "c2pa") return ["valid_untrusted", "unsigned"].includes(item.trust);
  return item.kind === "iptc" || item.kind === "generator_metadata";
}

/** 0.9996 -> "over 99 %", as model/evidence.py's percent. */
export function percent(p) {
  if (p > 0.99 && p < 1) return "over 99 %";
  if (p > 0 && p < 0.01) return "under 1 %";
  return `${halfToEven(100 * p)} %`;
}

const halfToEven = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** The grade of a probability. `modes`: mode -> thresholds {ai, real}; `rules`: the table's `grades`. */
export function grade(p, modes, rules) {
  for (const level of ["very_likely", "likely"]) {
    const thresholds = modes[rules[level]];
    if (thresholds && p >= thresholds.ai && thresholds.ai > thresholds.real) return `${level}_ai`;
    if (thresholds && p <= thresholds.real && thresholds.real < thresholds.ai) return `${level}_real`;
  }
  if (Math.abs(p - 0.5) < rules.leaning) return "cannot_tell";
  return `leaning_${p > 0.5 ? "ai" : "real"}`;
}

/** The grade adjusted to the label: a label must have at least the grade "leaning" to its side. */
const consistentGrade = (grade, label) => (label === "unsure" || grade.endsWith(`_${label}`) ? grade : `leaning_${label}`);

// Asides that weaken the grade of an "ai" verdict decided by a record or watermark.
const CONTRADICTING_ASIDES = ["model_against", "camera", "says_real"];

/** The model's result as conditions of the table's rows; null without a model or thresholds. */
function modelOf(evidence, thresholds, table) {
  const item = thresholds && first(evidence, ({ kind }) => kind === "model");
  if (!item) return null;
  const { probability_ai: p, mode_thresholds: modes = {}, too_small, blank } = item.detail;
  const sureThresholds = modes[table.sure_of_real];
  const modelGrade = grade(p, modes, table.grades);
  return {
    p, thresholds, grade: modelGrade, too_small,
    facts: {
      model: true,
      model_ai: p >= thresholds.ai,
      model_real: p <= thresholds.real,
      model_sure_of_real: sureThresholds !== undefined && p <= sureThresholds.real && !blank && !too_small,
      may_abstain: thresholds.real < thresholds.ai,
      leans_ai: modelGrade.endsWith("_ai"),
      leans_real: modelGrade.endsWith("_real"),
      too_small,
      blank,
    },
  };
}

/** Evidence that did not decide but is mentioned with the verdict: name of the table's aside -> item or null. */
function asidesOf(evidence, row, facts) {
  const isAi = row.label === "ai";
  const contradictsAi = isAi || row.when.some((name) => name === "claim" || name === "leans_ai");
  const candidates = {
    camera: contradictsAi && first(evidence, ({ kind, points_to: points }) => kind === "exif" && points === "real"),
    says_real: contradictsAi && first(evidence, (item) => !["exif", "model"].includes(item.kind) && item.points_to === "real" && !isSigned(item)),
    edited: !isAi && first(evidence, ({ points_to: points, trust }) => points === "ai_edited" && trust !== "broken"),
    broken: first(evidence, ({ trust }) => trust === "broken"),
  };
  const asides = Object.fromEntries(Object.entries(candidates).filter(([, item]) => item));
  if (facts.blank && row.row !== "7b") asides.blank = null;
  return isAi && row.decided_by !== "model" && facts.model_real ? { model_against: null, ...asides } : asides;
}

/**
 * Finds the row of the table that decides, with the items and numbers that its reason mentions. `thresholds`: {ai, real}
 * or null. `numbers` takes a function that formats a probability.
 */
export function weigh(evidence, thresholds, table) {
  const model = modelOf(evidence, thresholds, table);
  const items = {
    signed_ai: first(evidence, (item) => isSigned(item) && item.points_to === "ai"),
    capture: first(evidence, (item) => isSigned(item) && item.points_to === "real"),
    mark: first(evidence, (item) => item.kind === "watermark" && item.points_to === "ai"),
    claim: first(evidence, isAiClaim),
  };
  items.says_ai = items.signed_ai ?? items.mark ?? items.claim;
  const facts = { ...items, ...(model?.facts ?? { may_abstain: true }) };
  const row = table.rows.find(({ when }) => when.every((name) => facts[name]));
  const asides = asidesOf(evidence, row, facts);
  const numbers = (share) =>
    model ? { p: share(model.p), low: share(thresholds.real), high: share(thresholds.ai), ...model.too_small } : {};
  return { row, model, numbers, items: { ...items, ...asides }, asides: Object.keys(asides) };
}

function probabilityOf(rule, model, claimRate) {
  if (rule === "model") return model?.p ?? null;
  return rule === "claims" ? claimRate : rule;
}

/** The verdict of a record. `measured`: precision of each grade of the model, or null. */
export function decide(evidence, thresholds, table, measured = null) {
  const { row, model, numbers, items, asides } = weigh(evidence, thresholds, table);
  const claims = Object.fromEntries(Object.entries(items).map(([name, item]) => [name, item?.claim]));
  const words = { ...claims, ...numbers(percent) };
  const template = [row.reason, ...asides.map((name) => table.asides[name])].join(" ");
  const isContested = row.contested && CONTRADICTING_ASIDES.some((name) => asides.includes(name));
  const baseGrade = isContested ? row.contested : row.grade === "model" ? model.grade : row.grade;
  const finalGrade = consistentGrade(baseGrade, row.label);
  return {
    label: row.label,
    probability_ai: probabilityOf(row.probability_ai, model, isContested ? null : table.claims.probability_ai),
    decided_by: row.decided_by,
    reason: template.replace(/\{(\w+)\}/g, (whole, name) => words[name]),
    grade: finalGrade,
    advice: row.advice,
    ...(row.measured && finalGrade === baseGrade && measured?.[finalGrade] && { measured: measured[finalGrade] }),
  };
}
