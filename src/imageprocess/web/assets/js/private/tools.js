// Reads generators' records by the table of tools (port of provenance/generators/tools.py, which documents the entries).

import { parseJson, scalars, textOf } from "./generation.js";
import { pattern, TABLE } from "./tools-table.js";

const MAX_PATTERN_TEXT = 20_000; // characters; longer texts are not matched
const MAX_VALUES = 500; // values per path
const NOT_SETTINGS = ["prompt", "negative_prompt", "uc", "Prompt", "Negative", "c"];

/** @returns {{generations: any[], names: Set<string>}} records, and names of the texts by which they were recognised */
export function readTools(texts) {
  const byGenerator = new Map();
  const names = new Set();
  for (const tool of TABLE.tools) {
    if ((tool.unless ?? []).some((other) => [...byGenerator.keys()].some((name) => name.startsWith(other)))) continue;
    for (const match of records(tool, texts)) {
      const record = generation(tool, match, texts.byName);
      if (!byGenerator.has(record.generator)) byGenerator.set(record.generator, record);
      for (const notes of alternatives(tool.notes ?? {})) Object.keys(notes).forEach((name) => names.add(name));
      break;
    }
  }
  return { generations: [...byGenerator.values()], names };
}

/** The tool's records in the file. */
function* records(tool, { all, byName: notes, documents }) {
  if (!satisfies(tool.also ?? {}, notes, notes)) return;
  if (tool.json) {
    for (const { name, value } of documents) {
      const accepted = [...(isTextOf(tool, name) ? alternatives(tool.json) : []), ...(tool.anywhere ?? [])];
      if (accepted.some((conditions) => satisfies(conditions, value, notes))) yield value;
    }
  } else if (tool.pattern) {
    for (const { name, text } of all) {
      const match = isTextOf(tool, name) && text.length <= MAX_PATTERN_TEXT && pattern(tool.pattern).exec(text);
      if (match) yield new Map([["text", match[0]], ...tool.groups.map((group, i) => [group, match[i + 1] ?? null])]);
    }
  } else if (alternatives(tool.notes).some((conditions) => satisfies(conditions, notes, notes))) yield notes;
}

const isTextOf = (tool, name) => !tool.in || tool.in.includes(name);
const alternatives = (conditions) => (Array.isArray(conditions) ? conditions : [conditions]);

const satisfies = (conditions, record, notes) =>
  Object.entries(conditions).every(([path, wanted]) => values(path, record, notes).some((value) => matches(value, wanted)));

function matches(value, wanted) {
  if (!wanted) return !isEmpty(value);
  const text = typeof value === "boolean" ? String(value) : textOf(value);
  return text !== null && pattern(wanted).test(text);
}

function isEmpty(value) {
  if (value === null || value === undefined || value === false || value === "") return true;
  return Array.isArray(value) ? value.length === 0 : value instanceof Map && value.size === 0;
}

/** The values at a path of the table's syntax. */
function values(path, record, notes) {
  const start = path.startsWith("@") ? notes : record;
  const bare = path.replace(/^@/, "");
  if (start.has(bare)) return [start.get(bare)]; // names of texts may contain slashes
  return bare.split("/").reduce((level, key) => level.slice(0, MAX_VALUES).flatMap((value) => children(value, key)), [start]);
}

function children(value, key) {
  const parsed = typeof value === "string" && value.startsWith("{") ? parseJson(value) : value;
  if (Array.isArray(parsed) && key === "*") return parsed;
  if (Array.isArray(parsed)) return /^\d+$/.test(key) && Number(key) < parsed.length ? [parsed[Number(key)]] : [];
  if (!(parsed instanceof Map)) return [];
  if (key === "*") return [...parsed.values()];
  if (key.startsWith("~")) return [...parsed].filter(([name]) => pattern(key.slice(1)).test(name)).map(([, item]) => item);
  return parsed.has(key) ? [parsed.get(key)] : [];
}

/** The first text at a path, or at one of several; null if there is none. */
function firstText(spec, record, notes) {
  for (const one of alternatives(spec)) {
    const [path, wanted] = typeof one === "string" ? [one, null] : [one.path, one.match];
    for (const value of values(path, record, notes)) {
      let text = textOf(value);
      if (wanted) text = (text && pattern(wanted).exec(text)?.[1]) || null;
      if (text) return text.trim();
    }
  }
  return null;
}

function generation(tool, record, notes) {
  const read = (spec) => (spec === undefined ? null : firstText(spec, record, notes));
  const version = read(tool.version);
  const author = read(tool.author);
  return {
    generator: (tool.name ?? read(tool.name_from) ?? "") + (version ? (tool.version_words ?? " ") + version : ""),
    how: how(tool, record, notes),
    settings: new Map([...settings(tool, record, notes), ...(author ? [["author", author]] : [])]),
    prompt: read(tool.fields.prompt),
    negative_prompt: read(tool.fields.negative_prompt),
    seed: read(tool.fields.seed),
    sampler: read(tool.fields.sampler),
    model: read(tool.fields.model),
  };
}

function how(tool, record, notes) {
  const any = (list = []) => list.some((conditions) => satisfies(conditions, record, notes));
  if (any(tool.unclear_if)) return "unclear";
  return any(tool.edited_if) || tool.how === "edited" ? "edited" : "made";
}

function settings(tool, record, notes) {
  const spec = tool.settings;
  if (Array.isArray(spec)) return spec.map((path) => [path, firstText(path, record, notes)]).filter(([, text]) => text);
  if (spec === "" || record === notes) return [];
  const [object] = spec === undefined ? [record] : values(spec, record, notes);
  return object instanceof Map ? scalars(object, NOT_SETTINGS) : [];
}
