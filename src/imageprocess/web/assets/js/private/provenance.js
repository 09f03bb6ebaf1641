// Reads all metadata of a file and turns it into evidence, signed records first (port of provenance/__init__.py, metadata.py).

import { utf8 } from "./bytes.js";
import { readC2pa } from "./credentials.js";
import { readExif } from "./exif.js";
import { readGenerators } from "./generators.js";
import { evidence, printable, sourceType } from "./statements.js";
import { pattern, TABLE } from "./tools-table.js";
import { collect, xmpTexts } from "./texts.js";
import { readXmp } from "./xmp.js";

/** Parse the result of readRecords -> {exif, xmp, iim, store, texts}. */
export function parseMetadata(records) {
  const [exif, ...others] = (records.exif.length ? records.exif : [null]).map(readExif);
  const xmp = new Map();
  for (const packet of [...records.xmp, ...(exif.xmp ? [exif.xmp] : [])]) {
    for (const [name, value] of readXmp(packet)) if (!xmp.has(name)) xmp.set(name, value);
  }
  const iim = iimTexts(records.iim ?? exif.iim ?? new Uint8Array());
  const texts = [
    ...records.texts,
    ...[exif, ...others].flatMap(({ texts }) => [...texts].map(([name, text]) => ({ place: "EXIF", name, text }))),
    ...xmpTexts(xmp),
    ...[...iim].map(([name, text]) => ({ place: "IPTC", name: `IPTC:${name}`, text })),
  ];
  return { exif, xmp, iim, store: records.store ?? exif.store, texts: collect(texts) };
}

/** Evidence from the result of parseMetadata. `image`: {width, height}; `verified`: result of verifier.js, or null. */
export function readProvenance(metadata, image, verified = null) {
  const { items, names } = readGenerators(metadata.texts, image);
  return [...readC2pa(metadata.store, metadata.xmp, verified), ...readIptc(metadata.xmp, metadata.iim), ...items, ...readCamera(metadata.exif, names)];
}

const IPTC_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}";
const AI_PROPERTIES = ["AISystemUsed", "AISystemVersionUsed", "AIPromptInformation", "AIPromptWriterName"];

function readIptc(xmp, iim) {
  const items = [];
  const term = ["DigitalSourceType", "DigitalSourceFileType"].map((name) => sourceType(xmp.get(IPTC_EXT + name))).find(Boolean);
  if (term) items.push(sourceTypeEvidence(term));
  const aiProperties = AI_PROPERTIES.map((name) => xmp.get(IPTC_EXT + name));
  if (aiProperties.some(Boolean)) items.push(aiSystemEvidence(aiProperties, term));
  const credit = xmp.get("{http://ns.adobe.com/photoshop/1.0/}Credit") || iim.get("Credit");
  if (credit && Object.hasOwn(TABLE.credits, credit)) items.push(creditEvidence(credit));
  return items;
}

function sourceTypeEvidence(term) {
  const [pointsTo, words] = TABLE.source_types[term];
  return evidence("iptc", `The file's IPTC metadata says that this picture was ${words}.`, "unsigned", pointsTo, {
    proves: "That whoever last wrote this file's metadata stated how the picture was made.",
    does_not_prove: "That the statement is true: it is not signed, and anyone can write, change or remove it.",
    digital_source_type: term,
  });
}

/**
 * IPTC's AI properties: beside a Digital Source Type, that term says what the system did; alone they claim generation.
 * @param {string[]} properties values of AI_PROPERTIES
 */

function aiSystemEvidence([system, model, prompt, writer], term) {
  const pointsToByType = term ? TABLE.source_types[term][0] : "ai";
  const pointsTo = ["ai", "ai_edited"].includes(pointsToByType) ? pointsToByType : "nothing";
  const nameOfSystem = system ? ` ${printable(system, 80)}` : "";
  return evidence("iptc", `The file's IPTC metadata names the AI system${nameOfSystem} that was used for this picture.`, "unsigned", pointsTo, {
    proves: "That whoever last wrote this file's metadata named an AI system or its prompt.",
    does_not_prove: "That the statement is true: it is not signed, and anyone can write, change or remove it.",
    generator: system,
    model,
    prompt,
    prompt_writer: writer,
  });
}

function creditEvidence(credit) {
  const isGoogle = credit.endsWith("Google AI");
  const maker = isGoogle ? "Google" : "Apple";
  const synthid = isGoogle ? " Google's own invisible mark, SynthID, can be checked only by Google." : "";
  return evidence("iptc", `The file's IPTC credit line reads “${credit}”.`, "unsigned", TABLE.credits[credit], {
    proves: `That the file contains the credit line that ${maker}'s generative tools write.`,
    does_not_prove: `That ${maker}'s tools wrote it: the line is not signed, and anyone can type it.${synthid}`,
    generator: isGoogle ? `${maker} AI` : credit,
    credit,
  });
}

const IIM_NAMES = {
  5: "ObjectName", 40: "SpecialInstructions", 65: "OriginatingProgram", 80: "Byline", 105: "Headline", 110: "Credit",
  115: "Source", 116: "CopyrightNotice", 120: "CaptionAbstract",
};

/** Map of name -> text in an IPTC IIM block; a data set is 0x1C, record, data set number, 16-bit size, value. */
function iimTexts(iim) {
  const texts = new Map();
  for (let at = 0, i = 0; i < 1000 && at + 5 <= iim.length && iim[at] === 0x1c; i++) {
    const size = (iim[at + 3] << 8) | iim[at + 4];
    const name = iim[at + 1] === 2 ? IIM_NAMES[iim[at + 2]] : undefined;
    const text = utf8(iim.subarray(at + 5, at + 5 + size)).trim();
    if (name && text && !texts.has(name)) texts.set(name, text);
    at += 5 + size;
  }
  return texts;
}

const MAX_NAME = 64; // characters of a make or model; generators write whole records there
const CAMERA_FACTS = {
  make: "Make", model: "Model", lens_make: "LensMake", lens: "LensModel", taken: "DateTimeOriginal", changed: "DateTime",
  software: "Software",
};

/** A make or model name, or "" if the field holds something else. */
const cameraName = (text = "") => ([...text].length <= MAX_NAME && !/[{}[\]\n]/.test(text) ? text : "");

/** At most one item: the camera named by EXIF, or that there are exposure settings without a name. */
function readCamera({ texts: all, numbers }, generators) {
  const texts = Object.fromEntries([...all].filter(([name]) => !generators.has(name)));
  let [make, model] = [cameraName(texts.Make), cameraName(texts.Model)];
  if (generators.has("Make") || pattern(TABLE.not_cameras, "i").test(make)) [make, model] = ["", ""]; // then the model is not a camera's either
  const brand = make.toLowerCase().split(" ")[0]; // "NIKON CORPORATION", "NIKON D90": do not repeat the make
  const camera = model?.toLowerCase().startsWith(brand) ? model : `${make} ${model}`.trim();
  if (!camera && !Object.keys(numbers).length) return [];
  const claim = camera ? `EXIF names a camera: ${printable(camera, 120)}` : "EXIF has a camera's exposure settings";
  const day = texts.DateTimeOriginal ? [...texts.DateTimeOriginal].slice(0, 10).join("") : "";
  const taken = day ? `, on ${printable(day).replaceAll(":", "-")}` : "";
  return [
    evidence("exif", `${claim}${taken}.`, "unsigned", "real", {
      proves: "That the file contains this camera metadata.",
      does_not_prove:
        "That this camera took this picture: EXIF is not signed, is retained by editing, and can be copied to any picture.",
      ...Object.fromEntries(Object.entries(CAMERA_FACTS).map(([fact, name]) => [fact, texts[name]])),
      ...numbers,
    }),
  ];
}
