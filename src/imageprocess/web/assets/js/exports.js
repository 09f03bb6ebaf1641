// Saves records as CSV or JSON files. The CSV columns are those of `imageprocess detect --format csv`.

import { t } from "./i18n.js";

const COLUMNS = {
  source: (r) => r.source,
  status: (r) => r.status,
  label: (r) => r.verdict?.label,
  probability_ai: (r) => r.verdict?.probability_ai,
  decided_by: (r) => r.verdict?.decided_by,
  reason: (r) => r.verdict?.reason,
  format: (r) => r.image?.format,
  width: (r) => r.image?.width,
  height: (r) => r.image?.height,
  frames: (r) => r.image?.frames,
  bytes: (r) => r.image?.bytes,
  sha256: (r) => r.sha256,
  model: (r) => r.model?.name,
  model_version: (r) => r.model?.version,
  elapsed_ms: (r) => r.elapsed_ms,
  evidence: (r) => r.evidence?.map((item) => `${item.kind} (${item.trust}): ${item.claim}`).join(" | "),
  error_code: (r) => r.error?.code,
  error_message: (r) => r.error?.message,
  grade: (r) => r.verdict?.grade,
  maker: (r) => makerName(r.evidence?.find((item) => item.kind === "model")?.detail?.maker),
};

/** The name of the generator's family in the model's evidence, if any. */
function makerName(maker) {
  const name = typeof maker === "object" ? maker?.name : maker;
  return typeof name === "string" ? name : undefined;
}

/** `columns`: name -> function that returns the value for one of `items`. */
export function toCsv(columns, items) {
  const rows = items.map((item) => Object.values(columns).map((getValue) => cell(getValue(item))));
  return [Object.keys(columns), ...rows].map((row) => `${row.join(",")}\n`).join("");
}

/** The records without their heat maps, which are for display only. */
function toJson(records) {
  return `${JSON.stringify(records.map(({ heatmap, ...record }) => record), null, 2)}\n`;
}

// Spreadsheets take cells that start like this for formulas; a leading apostrophe marks them as text.
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

function cell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Offer a file for download. `parts`: strings, bytes or blobs. */
export function download(name, type, ...parts) {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

export const saveCsv = (records) => download(`${t("export.file")}.csv`, "text/csv", toCsv(COLUMNS, records));
export const saveJson = (records) => download(`${t("export.file")}.json`, "application/json", toJson(records));
