// Collects the named texts in a file's metadata, whatever its container (port of provenance/texts.py). The readers of
// generators' records use only these.

import { stripped } from "./bytes.js";
import { parseJson } from "./generation.js";
import { TABLE } from "./tools-table.js";

const MAX_TEXTS = 512;
const MAX_NESTING = 2; // records nested in records
const MAX_CHILDREN = 64;

/**
 * [{place, name, text}] -> {all, byName: Map (the first text of a name), documents: [{name, value}]}.
 * Texts that are JSON objects become documents, and so do objects inside them and strings that are JSON again.
 */
export function collect(texts) {
  const collected = { all: [], byName: new Map(), documents: [] };
  for (const text of texts) add(collected, text, 0);
  return collected;
}

function add(collected, text, depth) {
  if (collected.all.length >= MAX_TEXTS) return;
  collected.all.push(text);
  if (!collected.byName.has(text.name)) collected.byName.set(text.name, text.text);
  const [name, body] = jsonPart(text.text);
  const value = parseJson(body);
  if (value instanceof Map) addDocument(collected, { name: name ?? text.name, value }, text.place, depth);
}

function addDocument(collected, document, place, depth) {
  if (collected.documents.length >= MAX_TEXTS) return;
  collected.documents.push(document);
  const first = [...document.value.values()].find((item) => item instanceof Map);
  if (depth >= MAX_NESTING || first?.has("class_type")) return; // nodes of a ComfyUI graph are not records
  for (const [name, value] of [...document.value].slice(0, MAX_CHILDREN)) {
    if (value instanceof Map) addDocument(collected, { name, value }, place, depth + 1);
    else if (typeof value === "string" && value) add(collected, { place, name, text: value }, depth + 1);
  }
}

const NAME_IN_FRONT = /^(?:([A-Za-z][A-Za-z0-9_-]{0,31}):|(AIGC))[\0: \n\r\t]*(?=\{)/i;
const NAMES = { prompt: "prompt", workflow: "workflow", aigc: "AIGC" };

/** [name or null, JSON or null]: the JSON object in a text and the name that some writers put in front of it. */
export function jsonPart(text) {
  const body = stripped(text, "\0 \n\r\t\ufeff");
  const [prefix, withColon, withoutColon] = (!body.startsWith("{") && NAME_IN_FRONT.exec(body)) || [];
  if (prefix) return [NAMES[(withColon ?? withoutColon).toLowerCase()] ?? withColon ?? withoutColon, body.slice(prefix.length)];
  return [null, body.startsWith("{") ? body : null];
}

/** XMP properties as texts, named with the usual namespace prefixes. */
export function xmpTexts(properties) {
  return [...properties].map(([name, text]) => {
    const [, namespace = "", local = name] = /^\{([^}]*)\}(.*)$/s.exec(name) ?? [];
    const prefix = Object.hasOwn(TABLE.xmp_prefixes, namespace) ? TABLE.xmp_prefixes[namespace] : null;
    const short = ["exif", "tiff"].includes(prefix) ? local : prefix ? `${prefix}:${local}` : name;
    return { place: "XMP", name: short, text };
  });
}
