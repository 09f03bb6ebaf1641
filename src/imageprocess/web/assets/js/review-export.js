// Saves the marks of a review as a zip: pictures in ai/ and real/, as `imageprocess data import` reads them, and marks.csv.

import { download, toCsv } from "./exports.js";
import { markOf } from "./review.js";
import { zip } from "./zip.js";

const MAX_NAME = 80; // characters of the file name

const COLUMNS = {
  file: ({ path }) => path,
  source: ({ item }) => item.name,
  sha256: ({ item }) => item.record.sha256,
  label: ({ item }) => item.record.verdict.label,
  grade: ({ item }) => item.record.verdict.grade,
  probability_ai: ({ item }) => item.record.verdict.probability_ai,
  decided_by: ({ item }) => item.record.verdict.decided_by,
  mode: ({ item }) => item.mode,
  model: ({ item }) => item.record.model?.name,
  model_version: ({ item }) => item.record.model?.version,
  mark: ({ item }) => markOf(item),
  truth: ({ item }) => item.truth,
};

/** Throws an Error that names a picture that can no longer be read. */
export async function saveMarks(items) {
  const marked = items.map((item, place) => ({ item, path: `${item.truth}/${String(place + 1).padStart(3, "0")}-${safeName(item.name)}` }));
  const table = new Blob([toCsv(COLUMNS, marked)]);
  const files = [...marked.map(({ item, path }) => [path, item.file]), ["marks.csv", table]];
  download("imageprocess-review.zip", "application/zip", ...(await zip(files)));
}

/** A name valid on every file system, with its extension; the number before it makes it unique. */
const safeName = (name) => [...name.replace(/[\\/:*?"<>|\p{C}]/gu, "_")].slice(-MAX_NAME).join("");
