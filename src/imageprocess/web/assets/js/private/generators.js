// What a generator of pictures wrote about its work (provenance/generators). Each record is known by its structure, never
// by a word that occurs somewhere, and is found in whatever text of the file holds it.

import { readA1111 } from "./a1111.js";
import { readComfyui } from "./comfyui.js";
import { toEvidence } from "./generation.js";
import { readTools } from "./tools.js";

/** `texts`: collect's. -> {items: [evidence], names: of the texts by which a generator was recognised}. */
export function readGenerators(texts, image) {
  const { generations, names } = readTools(texts);
  let a1111 = null;
  for (const { text } of texts.all) if ((a1111 = readA1111(text))) break;
  // Some tools write their record twice, once in the form that the web UI's readers know.
  if (a1111 && !generations.some(({ seed }) => seed !== null && a1111.seed === seed)) generations.unshift(a1111);
  const graph = readComfyui(texts.documents, image);
  if (graph) generations.push(graph);
  return { items: generations.map((found) => toEvidence(found, image)), names };
}
