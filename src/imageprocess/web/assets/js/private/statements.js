// How an item of evidence is worded and cut (provenance/statements.py), and the IPTC vocabulary of source types that XMP
// and C2PA share (provenance/source_types.py).

import { TABLE } from "./table.js";

const MAX_TEXT = 8000;
const MAX_SETTINGS = 64;

/** An item whose detail holds what it proves, what it does not, and every fact that is set. */
export function evidence(kind, claim, trust, pointsTo, { proves, does_not_prove, ...facts }) {
  const known = Object.entries(facts).filter(([, value]) => !isNothing(value));
  const detail = { proves, does_not_prove, ...Object.fromEntries(known.map(([name, value]) => [name, shortened(value)])) };
  return { kind, claim, trust, points_to: pointsTo, detail };
}

function isNothing(value) {
  if (value === null || value === undefined || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return value instanceof Map && value.size === 0;
}

function shortened(value) {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.slice(0, MAX_SETTINGS).map(shortened);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].slice(0, MAX_SETTINGS).map(([name, item]) => [printable(name, 200), shortened(item)]));
}

/** `text` without control characters, at most `limit` characters. */
export function printable(text, limit = MAX_TEXT) {
  const characters = [...text];
  const cut = characters.length <= limit ? text : `${characters.slice(0, limit - 1).join("")}…`;
  return cut.replace(/[\p{C}\p{Z}]/gu, (c) => (" \n\t".includes(c) ? c : "\ufffd"));
}

const VOCABULARY = /^(?:https?:\/\/(?:cv\.iptc\.org\/newscodes|c2pa\.org)\/digitalsourcetype\/|digsrctype:)/;

/** The vocabulary's term in `value`, which may be its address or the bare term; null for anything else. */
export function sourceType(value) {
  if (typeof value !== "string") return null;
  const term = value.trim().replace(/\/$/, "").replace(VOCABULARY, "");
  return Object.hasOwn(TABLE.source_types, term) ? term : null;
}
