// [Evidence] -> Verdict, by the table that Python reads too (verdict.json). Pure.

const first = (evidence, fits) => evidence.find(fits) ?? null;
const isSigned = (item) => item.kind === "c2pa" && item.trust === "trusted";

function isAiClaim(item) {
  if (item.points_to !== "ai") return false;
  if (item.kind === "c2pa") return ["valid_untrusted", "unsigned"].includes(item.trust);
  return item.kind === "iptc" || item.kind === "generator_metadata";
}

/** 0.9996 -> "over 99 %", as Python's model.calibrate.percent writes it. */
export function percent(p) {
  if (p > 0.99 && p < 1) return "over 99 %";
  if (p > 0 && p < 0.01) return "under 1 %";
  return `${halfToEven(100 * p)} %`;
}

const halfToEven = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** What a probability comes to. `modes`: mode -> {ai, real}; `rules`: the table's `grades`. */
export function grade(p, modes, rules) {
  for (const word of ["very_likely", "likely"]) {
    const cuts = modes[rules[word]];
    if (cuts && p >= cuts.ai && cuts.ai > cuts.real) return `${word}_ai`;
    if (cuts && p <= cuts.real && cuts.real < cuts.ai) return `${word}_real`;
  }
  if (Math.abs(p - 0.5) < rules.leaning) return "cannot_tell";
  return `leaning_${p > 0.5 ? "ai" : "real"}`;
}

/** Of an answer that had to pick a side, at least "leaning" to it. */
const agreeing = (told, label) => (label === "unsure" || told.endsWith(`_${label}`) ? told : `leaning_${label}`);

// Asides that weaken the grade of an "ai" that no model decided.
const AGAINST = ["model_against", "camera", "says_real"];

/** The model's word, as the table's rows ask for it; null where it does not count. */
function modelOf(evidence, thresholds, table) {
  const item = thresholds && first(evidence, ({ kind }) => kind === "model");
  if (!item) return null;
  const { probability_ai: p, mode_thresholds: modes = {}, too_small, blank } = item.detail;
  const sure = modes[table.sure_of_real];
  const told = grade(p, modes, table.grades);
  return {
    p, thresholds, told, too_small,
    facts: {
      model: true,
      model_ai: p >= thresholds.ai,
      model_real: p <= thresholds.real,
      model_sure_of_real: sure !== undefined && p <= sure.real && !blank && !too_small,
      may_abstain: thresholds.real < thresholds.ai,
      leans_ai: told.endsWith("_ai"),
      leans_real: told.endsWith("_real"),
      too_small,
      blank,
    },
  };
}

/** What did not decide, but a person must hear beside the answer: names of the table's asides, each with its item. */
function besideOf(evidence, row, facts) {
  const isAi = row.label === "ai";
  const isAgainst = isAi || row.when.some((name) => name === "claim" || name === "leans_ai");
  const found = {
    camera: isAgainst && first(evidence, ({ kind, points_to: points }) => kind === "exif" && points === "real"),
    says_real: isAgainst && first(evidence, (item) => !["exif", "model"].includes(item.kind) && item.points_to === "real" && !isSigned(item)),
    edited: !isAi && first(evidence, ({ points_to: points, trust }) => points === "ai_edited" && trust !== "broken"),
    broken: first(evidence, ({ trust }) => trust === "broken"),
  };
  const told = Object.fromEntries(Object.entries(found).filter(([, item]) => item));
  if (facts.blank && row.row !== "7b") told.blank = null;
  return isAi && row.decided_by !== "model" && facts.model_real ? { model_against: null, ...told } : told;
}

/**
 * Which row of the table decides, and the items and the numbers that its reason speaks of. `thresholds`: {ai, real}, or
 * null. `numbers` is asked with the reader's way of writing a probability.
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
  const beside = besideOf(evidence, row, facts);
  const numbers = (share) =>
    model ? { p: share(model.p), low: share(thresholds.real), high: share(thresholds.ai), ...model.too_small } : {};
  return { row, model, numbers, items: { ...items, ...beside }, asides: Object.keys(beside) };
}

function probabilityOf(stated, model, counted) {
  if (stated === "model") return model?.p ?? null;
  return stated === "claims" ? counted : stated;
}

/** The verdict as a record has it. `measured`: what each grade has meant, of the model that was asked, or null. */
export function decide(evidence, thresholds, table, measured = null) {
  const { row, model, numbers, items, asides } = weigh(evidence, thresholds, table);
  const claims = Object.fromEntries(Object.entries(items).map(([name, item]) => [name, item?.claim]));
  const words = { ...claims, ...numbers(percent) };
  const template = [row.reason, ...asides.map((name) => table.asides[name])].join(" ");
  const isContested = row.contested && AGAINST.some((name) => asides.includes(name));
  const told = isContested ? row.contested : row.grade === "model" ? model.told : row.grade;
  const agreed = agreeing(told, row.label);
  return {
    label: row.label,
    probability_ai: probabilityOf(row.probability_ai, model, isContested ? null : table.claims.probability_ai),
    decided_by: row.decided_by,
    reason: template.replace(/\{(\w+)\}/g, (whole, name) => words[name]),
    grade: agreed,
    advice: row.advice,
    ...(row.measured && agreed === told && measured?.[agreed] && { measured: measured[agreed] }),
  };
}
