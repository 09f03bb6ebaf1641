// Evidence from the records that image generators write (port of provenance/generators). Each record is recognised by its
// structure, never by a single word, in any text of the file.

import { readA1111 } from "./a1111.js";
import { readComfyui } from "./comfyui.js";
import { toEvidence } from "./generation.js";
import { readTools } from "./tools.js";

/** @param {any} texts result of collect() @returns {{items: any[], names: Set<string>}} evidence, and names of the texts used */
export function readGenerators(texts, image) {
  const { generations, names } = readTools(texts);
  let a1111 = null;
  for (const { text } of texts.all) if ((a1111 = readA1111(text))) break;
  // Some tools write their record twice, once in AUTOMATIC1111's form.
  if (a1111 && !generations.some(({ seed }) => seed !== null && a1111.seed === seed)) generations.unshift(a1111);
  const graph = readComfyui(texts.documents, image);
  if (graph) generations.push(graph);
  return { items: generations.map((record) => toEvidence(record, image)), names };
}
