// Records -> the named texts of a file, whatever its container (provenance/texts.py). Readers of generators' records see
// only these.

import { stripped } from "./bytes.js";
import { parseJson } from "./generation.js";
import { TABLE } from "./table.js";

const MAX_TEXTS = 512;
const MAX_NESTING = 2; // a record in a record in a text
const MAX_CHILDREN = 64;

/**
 * `texts`: [{place, name, text}]. -> {all, byName: Map of which the first of a name counts, documents: [{name, value}]}.
 * Whatever opens as JSON becomes a document; so do the objects inside it, and texts that are JSON again.
 */
export function collect(texts) {
  const found = { all: [], byName: new Map(), documents: [] };
  for (const text of texts) add(found, text, 0);
  return found;
}

function add(found, text, depth) {
  if (found.all.length >= MAX_TEXTS) return;
  found.all.push(text);
  if (!found.byName.has(text.name)) found.byName.set(text.name, text.text);
  const [name, body] = jsonPart(text.text);
  const value = parseJson(body);
  if (value instanceof Map) addDocument(found, { name: name ?? text.name, value }, text.place, depth);
}

function addDocument(found, document, place, depth) {
  if (found.documents.length >= MAX_TEXTS) return;
  found.documents.push(document);
  const first = [...document.value.values()].find((item) => item instanceof Map);
  if (depth >= MAX_NESTING || first?.has("class_type")) return; // a graph's nodes are no records
  for (const [name, value] of [...document.value].slice(0, MAX_CHILDREN)) {
    if (value instanceof Map) addDocument(found, { name, value }, place, depth + 1);
    else if (typeof value === "string" && value) add(found, { place, name, text: value }, depth + 1);
  }
}

const NAME_IN_FRONT = /^(?:([A-Za-z][A-Za-z0-9_-]{0,31}):|(AIGC))[\0: \n\r\t]*(?=\{)/i;
const NAMES = { prompt: "prompt", workflow: "workflow", aigc: "AIGC" };

/** The JSON object that a text holds, and the name that some writers put in front of it. */
export function jsonPart(text) {
  const body = stripped(text, "\0 \n\r\t\ufeff");
  const [front, word, bare] = (!body.startsWith("{") && NAME_IN_FRONT.exec(body)) || [];
  if (front) return [NAMES[(word ?? bare).toLowerCase()] ?? word ?? bare, body.slice(front.length)];
  return [null, body.startsWith("{") ? body : null];
}

/** An XMP packet's properties under the prefixes that people know them by. */
export function xmpTexts(properties) {
  return [...properties].map(([name, text]) => {
    const [, namespace = "", local = name] = /^\{([^}]*)\}(.*)$/s.exec(name) ?? [];
    const prefix = Object.hasOwn(TABLE.xmp_prefixes, namespace) ? TABLE.xmp_prefixes[namespace] : null;
    const short = ["exif", "tiff"].includes(prefix) ? local : prefix ? `${prefix}:${local}` : name;
    return { place: "XMP", name: short, text };
  });
}
