// Turns a generator's record of how it made a picture into evidence (port of provenance/generators/generation.py).

import { evidence, printable } from "./statements.js";

const POINTS_TO = { made: "ai", edited: "ai_edited", unclear: "nothing" };

/**
 * Evidence of one record. A record that states another picture size than the file's proves nothing.
 * @param {any} record {generator, how (default "made"), prompt, negative_prompt, seed, sampler, model, settings: Map,
 * size: [width, height], resized}
 * @param {{width: number, height: number}} image
 */
export function toEvidence(record, image) {
  const { generator, size, settings = new Map() } = record;
  let how = record.how ?? "made";
  const described = size ? `${size[0]}x${size[1]}` : null;
  const name = printable(generator, 80);
  let claim;
  if (how === "made" && size && !sizeFits(size, record.resized, image)) {
    how = "unclear";
    claim =
      `A record by ${name} describes a picture of ${described} pixels, but this one has ` +
      `${image.width}x${image.height}: it may belong to another picture.`;
  } else if (how === "made") claim = `A record by ${name} says that this picture was generated with AI.`;
  else if (how === "edited") claim = `A record by ${name} says that an input picture was edited with AI.`;
  else claim = `A record by ${name} is in the file, but it does not say that this picture was generated.`;
  return evidence("generator_metadata", claim, "unsigned", POINTS_TO[how], {
    proves: "That the file contains a well-formed record of the kind that this generator writes.",
    does_not_prove:
      "That the record belongs to this picture or that it is true: it is not signed, and anyone can copy, change or remove it.",
    generator,
    how,
    prompt: record.prompt,
    negative_prompt: record.negative_prompt,
    seed: record.seed,
    sampler: record.sampler,
    model: record.model,
    settings,
    described_size: described,
  });
}

/** Whether the size is the image's, or after resizing steps its proportions. Latents come in steps of 8 pixels. */
export function sizeFits([width, height], resized, image) {
  if (!resized) return Math.abs(image.width - width) <= 8 && Math.abs(image.height - height) <= 8;
  const scale = image.width / width;
  return Math.abs(image.height - height * scale) <= 8 * Math.max(1, scale);
}

/**
 * Parse JSON, null if invalid. Objects become Maps, which keep the order of keys even if they look like numbers; NaN
 * and Infinity become null; integers too long for a double become strings of digits.
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

/** A non-empty string, or a number as string; else null. */
export function textOf(value) {
  if (typeof value === "string") return value || null;
  return typeof value === "number" ? String(value) : null;
}

export const isScalar = (value) => ["string", "number", "boolean"].includes(typeof value);

/** The record's scalar values, for display. */
export const scalars = (record, excluded = []) =>
  new Map([...record].filter(([name, value]) => !excluded.includes(name) && isScalar(value) && value !== ""));
