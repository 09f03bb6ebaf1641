// How an item of evidence is worded and cut (provenance/statements.py), and the IPTC vocabulary of source types that XMP
// and C2PA share (provenance/source_types.py).

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

const VOCABULARY = /^https?:\/\/(?:cv\.iptc\.org\/newscodes|c2pa\.org)\/digitalsourcetype\//;

// term -> what it testifies, and how to say it after "that it was ..."
export const SOURCE_TYPES = {
  trainedAlgorithmicMedia: ["ai", "made by a generative AI"],
  algorithmicMedia: ["ai", "made by an algorithm, with neither a camera nor a hand"],
  compositeWithTrainedAlgorithmicMedia: ["ai_edited", "edited with a generative AI"],
  compositeSynthetic: ["ai_edited", "put together from parts, at least one of them synthetic"],
  trainedAlgorithmicData: ["nothing", "derived from a trained model's data"],
  composite: ["nothing", "put together from parts, which may be synthetic"],
  digitalCapture: ["real", "taken with a digital camera"],
  computationalCapture: ["real", "taken with a camera that computes the picture, as phones do"],
  compositeCapture: ["real", "put together from several camera shots"],
  negativeFilm: ["real", "digitised from a negative on film"],
  positiveFilm: ["real", "digitised from a positive on film"],
  print: ["real", "digitised from a print"],
  humanEdits: ["nothing", "edited by a person"],
  minorHumanEdits: ["nothing", "slightly edited by a person"],
  digitalCreation: ["nothing", "drawn by a person with digital tools"],
  digitalArt: ["nothing", "drawn by a person with digital tools"],
  dataDrivenMedia: ["nothing", "drawn from data"],
  screenCapture: ["nothing", "captured from a screen"],
  virtualRecording: ["nothing", "recorded in a virtual scene"],
  empty: ["nothing", "begun as an empty canvas"],
};

/** The vocabulary's term in `value`, which may be its address or the bare term; null for anything else. */
export function sourceType(value) {
  const term = (value ?? "").trim().replace(VOCABULARY, "");
  return Object.hasOwn(SOURCE_TYPES, term) ? term : null;
}
