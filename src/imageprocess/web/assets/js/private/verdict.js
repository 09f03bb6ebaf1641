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

/**
 * Which row of the table decides, and the items and the numbers that its reason speaks of. `thresholds`: {ai, real}, or
 * null. `numbers` is asked with the reader's way of writing a probability.
 */
export function weigh(evidence, thresholds, table) {
  const model = thresholds && first(evidence, (item) => item.kind === "model");
  const p = model ? model.detail.probability_ai : null;
  const items = {
    signed_ai: first(evidence, (item) => isSigned(item) && item.points_to === "ai"),
    capture: first(evidence, (item) => isSigned(item) && item.points_to === "real"),
    mark: first(evidence, (item) => item.kind === "watermark" && item.points_to === "ai"),
    claim: first(evidence, isAiClaim),
  };
  items.says_ai = items.signed_ai ?? items.mark ?? items.claim;
  const facts = {
    ...items,
    model: p !== null,
    model_ai: p !== null && p >= thresholds.ai,
    model_real: p !== null && p <= thresholds.real,
    model_sure_of_real: p !== null && p <= table.sure_of_real,
    may_abstain: p === null || thresholds.real < thresholds.ai,
    too_small: model?.detail.too_small,
  };
  const row = table.rows.find(({ when }) => when.every((name) => facts[name]));
  const asides = {
    edited: row.label !== "ai" && first(evidence, (item) => item.points_to === "ai_edited" && item.trust !== "broken"),
    broken: first(evidence, (item) => item.trust === "broken"),
  };
  const numbers = (share) =>
    model ? { p: share(p), low: share(thresholds.real), high: share(thresholds.ai), ...model.detail.too_small } : {};
  return { row, p, numbers, items: { ...items, ...asides }, asides: Object.keys(asides).filter((name) => asides[name]) };
}

/** The verdict as a record has it. */
export function decide(evidence, thresholds, table) {
  const { row, p, numbers, items, asides } = weigh(evidence, thresholds, table);
  const claims = Object.fromEntries(Object.entries(items).map(([name, item]) => [name, item?.claim]));
  const words = { ...claims, ...numbers(percent) };
  const template = [row.reason, ...asides.map((name) => table.asides[name])].join(" ");
  return {
    label: row.label,
    probability_ai: row.probability_ai === "model" ? p : row.probability_ai,
    decided_by: row.decided_by,
    reason: template.replace(/\{(\w+)\}/g, (whole, name) => words[name]),
  };
}
