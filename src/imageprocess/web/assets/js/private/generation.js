// What a generator wrote about one picture, and how that becomes evidence (provenance/generators/generation.py).

import { evidence, printable } from "./statements.js";

const POINTS_TO = { made: "ai", edited: "ai_edited", unclear: "nothing" };

/**
 * `found`: {generator, how ("made" where left out), prompt, negative_prompt, seed, sampler, model, settings: Map,
 * size: [width, height], resized}. A record whose own picture size contradicts the file's pixels says nothing.
 */
export function toEvidence(found, image) {
  const { generator, size, settings = new Map() } = found;
  let how = found.how ?? "made";
  const described = size ? `${size[0]}x${size[1]}` : null;
  const name = printable(generator, 80);
  let claim;
  if (how === "made" && size && !sizeFits(size, found.resized, image)) {
    how = "unclear";
    claim =
      `A record by ${name} describes a picture of ${described} pixels, but this one has ` +
      `${image.width}x${image.height}: it may belong to another picture.`;
  } else if (how === "made") claim = `A record by ${name} says that this picture was generated with AI.`;
  else if (how === "edited") claim = `A record by ${name} says that an input picture was edited with AI.`;
  else claim = `A record by ${name} is in the file, but it does not say that this picture was generated.`;
  return evidence("generator_metadata", claim, "unsigned", POINTS_TO[how], {
    proves: "That the file carries a well-formed record of the kind this generator writes.",
    does_not_prove:
      "That the record belongs to this picture or that it is true: it is not signed, and anyone can copy, change or remove it.",
    generator,
    how,
    prompt: found.prompt,
    negative_prompt: found.negative_prompt,
    seed: found.seed,
    sampler: found.sampler,
    model: found.model,
    settings,
    described_size: described,
  });
}

/** The same size, or with resizing steps the same proportions. Latents come in steps of 8 pixels. */
export function sizeFits([width, height], resized, image) {
  if (!resized) return Math.abs(image.width - width) <= 8 && Math.abs(image.height - height) <= 8;
  const scale = image.width / width;
  return Math.abs(image.height - height * scale) <= 8 * Math.max(1, scale);
}

/**
 * The JSON in `text`, or null; objects as Maps, which keep the order of names even where they look like numbers. NaN
 * and Infinity are null; whole numbers too long for a double are kept as their digits.
 */
export function parseJson(text) {
  if (!text) return null;
  const safe = text.replace(
    /"((?:[^"\\]|\\.)*)"(\s*:)?|NaN|-?Infinity|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g,
    (whole, inside, colon) => {
      if (colon) return `"~${inside}"${colon}`;
      if (inside !== undefined) return whole;
      if (/[NI]/.test(whole)) return "null";
      return /^-?\d{16,}$/.test(whole) ? `"${whole}"` : whole;
    },
  );
  try {
    return toMaps(JSON.parse(safe));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null; // RangeError: nested too deep
    throw error;
  }
}

function toMaps(value) {
  if (Array.isArray(value)) return value.map(toMaps);
  if (value === null || typeof value !== "object") return value;
  return new Map(Object.entries(value).map(([name, item]) => [name.slice(1), toMaps(item)]));
}

/** `value` when it is text, a number's digits, or null. */
export function textOf(value) {
  if (typeof value === "string") return value || null;
  return typeof value === "number" ? String(value) : null;
}

export const isScalar = (value) => ["string", "number", "boolean"].includes(typeof value);

/** The record's plain values, for showing. */
export const scalars = (record, leaveOut = []) =>
  new Map([...record].filter(([name, value]) => !leaveOut.includes(name) && isScalar(value) && value !== ""));
