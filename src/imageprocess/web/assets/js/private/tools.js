// The table of tools -> what each says of the picture (provenance/generators/tools.py, which explains the entries).

import { parseJson, scalars, textOf } from "./generation.js";
import { pattern, TABLE } from "./table.js";

const MAX_PATTERN_TEXT = 20_000; // characters of a text that a pattern is tried on
const MAX_SEEN = 500; // values looked at for one path
const SHOWN_ELSEWHERE = ["prompt", "negative_prompt", "uc", "Prompt", "Negative", "c"];

/** -> {generations, names: of the texts by which tools were recognised}. */
export function readTools(texts) {
  const found = new Map();
  const names = new Set();
  for (const tool of TABLE.tools) {
    if ((tool.unless ?? []).some((other) => [...found.keys()].some((name) => name.startsWith(other)))) continue;
    for (const record of records(tool, texts)) {
      const told = generation(tool, record, texts.byName);
      if (!found.has(told.generator)) found.set(told.generator, told);
      for (const notes of alternatives(tool.notes ?? {})) Object.keys(notes).forEach((name) => names.add(name));
      break;
    }
  }
  return { generations: [...found.values()], names };
}

/** The records of this tool in the file. */
function* records(tool, { all, byName: notes, documents }) {
  if (!hold(tool.also ?? {}, notes, notes)) return;
  if (tool.json) {
    for (const { name, value } of documents) {
      const accepted = [...(isNamed(tool, name) ? alternatives(tool.json) : []), ...(tool.anywhere ?? [])];
      if (accepted.some((conditions) => hold(conditions, value, notes))) yield value;
    }
  } else if (tool.pattern) {
    for (const { name, text } of all) {
      const match = isNamed(tool, name) && text.length <= MAX_PATTERN_TEXT && pattern(tool.pattern).exec(text);
      if (match) yield new Map([["text", match[0]], ...tool.groups.map((group, i) => [group, match[i + 1] ?? null])]);
    }
  } else if (alternatives(tool.notes).some((conditions) => hold(conditions, notes, notes))) yield notes;
}

const isNamed = (tool, name) => !tool.in || tool.in.includes(name);
const alternatives = (conditions) => (Array.isArray(conditions) ? conditions : [conditions]);

const hold = (conditions, record, notes) =>
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

/** The values at a path. */
function values(path, record, notes) {
  const start = path.startsWith("@") ? notes : record;
  const bare = path.replace(/^@/, "");
  if (start.has(bare)) return [start.get(bare)]; // names of texts may hold slashes
  return bare.split("/").reduce((found, key) => found.slice(0, MAX_SEEN).flatMap((value) => children(value, key)), [start]);
}

function children(value, key) {
  const whole = typeof value === "string" && value.startsWith("{") ? parseJson(value) : value;
  if (Array.isArray(whole) && key === "*") return whole;
  if (Array.isArray(whole)) return /^\d+$/.test(key) && Number(key) < whole.length ? [whole[Number(key)]] : [];
  if (!(whole instanceof Map)) return [];
  if (key === "*") return [...whole.values()];
  if (key.startsWith("~")) return [...whole].filter(([name]) => pattern(key.slice(1)).test(name)).map(([, item]) => item);
  return whole.has(key) ? [whole.get(key)] : [];
}

/** The first text that a path, or one of several, leads to. */
function told(spec, record, notes) {
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
  const say = (spec) => (spec === undefined ? null : told(spec, record, notes));
  const version = say(tool.version);
  const author = say(tool.author);
  return {
    generator: (tool.name ?? say(tool.name_from) ?? "") + (version ? (tool.version_words ?? " ") + version : ""),
    how: how(tool, record, notes),
    settings: new Map([...settings(tool, record, notes), ...(author ? [["author", author]] : [])]),
    prompt: say(tool.fields.prompt),
    negative_prompt: say(tool.fields.negative_prompt),
    seed: say(tool.fields.seed),
    sampler: say(tool.fields.sampler),
    model: say(tool.fields.model),
  };
}

function how(tool, record, notes) {
  const any = (list = []) => list.some((conditions) => hold(conditions, record, notes));
  if (any(tool.unclear_if)) return "unclear";
  return any(tool.edited_if) || tool.how === "edited" ? "edited" : "made";
}

function settings(tool, record, notes) {
  const spec = tool.settings;
  if (Array.isArray(spec)) return spec.map((path) => [path, told(path, record, notes)]).filter(([, text]) => text);
  if (spec === "" || record === notes) return [];
  const [shown] = spec === undefined ? [record] : values(spec, record, notes);
  return shown instanceof Map ? scalars(shown, SHOWN_ELSEWHERE) : [];
}
