// Builds items of evidence (port of provenance/statements.py), and recognises terms of the IPTC Digital Source Type
// vocabulary (provenance/source_types.py).

import { TABLE } from "./tools-table.js";

const MAX_TEXT = 8000;
const MAX_SETTINGS = 64;

/** An item of evidence whose detail holds what it proves and does not prove, and every fact that is set. */
export function evidence(kind, claim, trust, pointsTo, { proves, does_not_prove, ...facts }) {
  const present = Object.entries(facts).filter(([, value]) => !isEmpty(value));
  const detail = { proves, does_not_prove, ...Object.fromEntries(present.map(([name, value]) => [name, truncated(value)])) };
  return { kind, claim, trust, points_to: pointsTo, detail };
}

function isEmpty(value) {
  if (value === null || value === undefined || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return value instanceof Map && value.size === 0;
}

function truncated(value) {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.slice(0, MAX_SETTINGS).map(truncated);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].slice(0, MAX_SETTINGS).map(([name, item]) => [printable(name, 200), truncated(item)]));
}

/** `text` without control characters, truncated to `limit` characters. */
export function printable(text, limit = MAX_TEXT) {
  const characters = [...text];
  const cut = characters.length <= limit ? text : `${characters.slice(0, limit - 1).join("")}…`;
  return cut.replace(/[\p{C}\p{Z}]/gu, (c) => (" \n\t".includes(c) ? c : "\ufffd"));
}

const VOCABULARY = /^(?:https?:\/\/(?:cv\.iptc\.org\/newscodes|c2pa\.org)\/digitalsourcetype\/|digsrctype:)/;

/** The vocabulary term in `value`, given as a URI or the bare term; null for anything else. */
export function sourceType(value) {
  if (typeof value !== "string") return null;
  const term = value.trim().replace(/\/$/, "").replace(VOCABULARY, "");
  return Object.hasOwn(TABLE.source_types, term) ? term : null;
}
