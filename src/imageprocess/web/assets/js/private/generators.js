// What a generator of pictures wrote about its work (provenance/generators). Each reader knows one record by its
// structure, never by a word that occurs somewhere.

import { readComfyui } from "./comfyui.js";
import { parseJson, scalars, textOf, toEvidence } from "./generation.js";

/** `notes`: the file's named texts, PNG's and EXIF's; `xmp`: its properties. Both Maps. */
export function readGenerators(notes, xmp, image) {
  const records = [
    readFooocus(notes) ?? readA1111(notes.get("parameters")) ?? readA1111(notes.get("user_comment")),
    readComfyui(...comfyuiTexts(notes)),
    readInvokeai(notes),
    readNovelai(notes),
    readMidjourney(notes, xmp),
    readMflux(notes, xmp),
    readAigc(notes, xmp),
  ];
  return records.filter(Boolean).map((record) => toEvidence(record, image));
}

/** PNG chunks by their names; in WebP, where there are none, EXIF fields that begin with the name. */
function comfyuiTexts(notes) {
  let [prompt, workflow] = [notes.get("prompt"), notes.get("workflow")];
  for (const text of ["make", "model", "description"].map((name) => notes.get(name) ?? "")) {
    if (text.toLowerCase().startsWith("prompt:")) prompt ||= text.slice("prompt:".length);
    else if (text.toLowerCase().startsWith("workflow:")) workflow ||= text.slice("workflow:".length);
  }
  return [prompt, workflow];
}

// The `parameters` text of AUTOMATIC1111's web UI and its relatives.

const NEGATIVE = "Negative prompt:";
const HIRES = ["Hires upscale", "Hires upscaler", "Hires steps", "Hires resize"];

function readA1111(text) {
  if (!text) return null;
  const lines = text.trim().split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  const last = lines.findLastIndex((line) => /^Steps: \d/.test(line.trimStart()));
  if (last < 0) return null;
  const settings = a1111Settings(lines.slice(last).join(" "));
  if (!["Sampler", "Seed", "CFG scale", "Model", "Model hash"].some((name) => settings.has(name))) return null;
  const [prompt, negative] = a1111Prompts(lines.slice(0, last));
  return {
    generator: a1111Generator(settings.get("Version") ?? ""),
    how: a1111How(settings),
    prompt,
    negative_prompt: negative,
    seed: settings.get("Seed"),
    sampler: settings.get("Sampler"),
    model: settings.get("Model") || settings.get("Unet"),
    settings,
  };
}

/** A denoising strength without an upscaling pass is img2img's: the work began with an input picture. */
function a1111How(settings) {
  if (["Mask blur", "Masked content", "Inpaint area"].some((name) => settings.has(name))) return "edited";
  return settings.has("Denoising strength") && !HIRES.some((name) => settings.has(name)) ? "edited" : "made";
}

function a1111Prompts(lines) {
  const at = lines.findIndex((line) => line.startsWith(NEGATIVE));
  if (at < 0) return [lines.join("\n").trim(), ""];
  const negative = [lines[at].slice(NEGATIVE.length), ...lines.slice(at + 1)].join("\n");
  return [lines.slice(0, at).join("\n").trim(), negative.trim()];
}

/** `A: 1, B: "x, y", C: {..}` -> its pairs. Commas inside quotes or brackets do not part. */
function a1111Settings(line) {
  const pairs = new Map();
  let [depth, quoted, start] = [0, false, 0];
  for (let at = 0; at <= line.length; at++) {
    const char = line[at] ?? ",";
    if (char === '"') quoted = !quoted;
    else if (quoted) continue;
    else if ("{[(".includes(char)) depth += 1;
    else if ("}])".includes(char)) depth = Math.max(0, depth - 1);
    else if (char === "," && (depth === 0 || at === line.length)) {
      const [, name, value] = /^([^:]*):([^]*)$/.exec(line.slice(start, at)) ?? [];
      if (name !== undefined && !pairs.has(name.trim())) pairs.set(name.trim(), value.trim().replace(/^"+|"+$/g, ""));
      start = at + 1;
    }
  }
  return pairs;
}

function a1111Generator(version) {
  if (/^(Fooocus|ComfyUI|stable-diffusion\.cpp|SD\.Next)/.test(version)) return version;
  if (/^f\d/.test(version)) return "Stable Diffusion WebUI Forge";
  return "Stable Diffusion web UI (AUTOMATIC1111 or a relative)";
}

// Generators that write one small record.

const has = (record, ...names) => record instanceof Map && names.some((name) => record.has(name));
const words = (value) => (value === undefined || value === null ? "" : String(value));

function readInvokeai(notes) {
  const record = parseJson(notes.get("invokeai_metadata"));
  if (has(record, "positive_prompt", "generation_mode")) {
    const model = record.get("model");
    return {
      generator: `InvokeAI ${words(record.get("app_version"))}`.trim(),
      how: /img2img|inpaint|outpaint/.test(words(record.get("generation_mode"))) ? "edited" : "made",
      prompt: textOf(record.get("positive_prompt")),
      negative_prompt: textOf(record.get("negative_prompt")),
      seed: textOf(record.get("seed")),
      sampler: textOf(record.get("scheduler")),
      model: model instanceof Map ? textOf(model.get("name") || model.get("model_name")) : textOf(model),
      settings: scalars(record, ["positive_prompt", "negative_prompt"]),
    };
  }
  const old = parseJson(notes.get("sd-metadata"));
  const image = old instanceof Map ? old.get("image") : null;
  if (!has(image, "prompt")) return null;
  const prompts = image.get("prompt");
  const first = Array.isArray(prompts) && prompts.length ? prompts[0] : prompts;
  return {
    generator: `InvokeAI ${words(old.get("app_version"))}`.trim(),
    how: (image.get("type") ?? "txt2img") === "txt2img" ? "made" : "edited",
    prompt: textOf(first instanceof Map ? first.get("prompt") : first),
    seed: textOf(image.get("seed")),
    sampler: textOf(image.get("sampler")),
    model: textOf(old.get("model_weights") || old.get("model")),
    settings: scalars(image),
  };
}

/** Fooocus writes its own JSON, or AUTOMATIC1111's text (read there). */
function readFooocus(notes) {
  const record = parseJson(notes.get("parameters") || notes.get("user_comment"));
  if (!(record instanceof Map) || !words(record.get("version")).startsWith("Fooocus")) return null;
  const edits = [...record].some(([name, value]) => name.toLowerCase().includes("inpaint") && value && value.length !== 0);
  return {
    generator: String(record.get("version")),
    how: edits ? "edited" : "made",
    prompt: textOf(record.get("prompt")),
    negative_prompt: textOf(record.get("negative_prompt")),
    seed: textOf(record.get("seed")),
    sampler: textOf(record.get("sampler")),
    model: textOf(record.get("base_model")),
    settings: scalars(record, ["prompt", "negative_prompt"]),
  };
}

function readNovelai(notes) {
  const record = parseJson(notes.get("Comment"));
  if (notes.get("Software") !== "NovelAI" || !has(record, "prompt", "uc")) return null;
  return {
    generator: "NovelAI",
    how: /img2img|infill/i.test(words(record.get("request_type"))) ? "edited" : "made",
    prompt: textOf(record.get("prompt")) ?? notes.get("Description"),
    negative_prompt: textOf(record.get("uc")),
    seed: textOf(record.get("seed")),
    sampler: textOf(record.get("sampler")),
    model: notes.get("Source"),
    settings: scalars(record, ["prompt", "uc"]),
  };
}

const DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description";
const CREATOR = "{http://purl.org/dc/elements/1.1/}creator";
const JOB_ID = /\s*Job ID: ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*$/;

/** Midjourney ends the description with the job's id; its options follow the prompt behind two dashes. */
function readMidjourney(notes, xmp) {
  for (const text of [notes.get("Description"), notes.get("description"), xmp.get(DESCRIPTION)]) {
    const job = text && JOB_ID.exec(text.slice(-200));
    if (!job) continue;
    const told = text.slice(0, text.length - job[0].length);
    const dashes = told.indexOf(" --");
    const [prompt, options] = dashes < 0 ? [told, ""] : [told.slice(0, dashes), told.slice(dashes + 1)];
    const settings = { job_id: job[1], options, author: notes.get("Author") || xmp.get(CREATOR) };
    return {
      generator: "Midjourney",
      prompt: prompt.trim(),
      model: /--((v|niji) [\w.]+)/.exec(options)?.[1],
      settings: new Map(Object.entries(settings).filter(([, value]) => value)),
    };
  }
  return null;
}

const MFLUX = "{http://ns.mflux.ai/1.0/}";

function readMflux(notes, xmp) {
  const record = parseJson(notes.get("user_comment"));
  if (has(record, "mflux_version")) {
    return {
      generator: `mflux ${record.get("mflux_version")}`,
      // Reference pictures are drawn anew; only a mask keeps parts of the input.
      how: record.get("masked_image_path") ? "edited" : "made",
      prompt: textOf(record.get("prompt")),
      negative_prompt: textOf(record.get("negative_prompt")),
      seed: textOf(record.get("seed")),
      model: textOf(record.get("model")),
      settings: scalars(record, ["prompt", "negative_prompt"]),
    };
  }
  if (!xmp.has(`${MFLUX}model`)) return null;
  const own = [...xmp].filter(([name]) => name.startsWith(MFLUX));
  return {
    generator: "mflux",
    prompt: xmp.get(DESCRIPTION),
    seed: xmp.get(`${MFLUX}seed`),
    model: xmp.get(`${MFLUX}model`),
    settings: new Map(own.map(([name, value]) => [name.slice(MFLUX.length), value])),
  };
}

const TC260 = "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC";

/** The implicit label of GB 45438-2025. Label 1: AI-generated; 2: possibly; 3: suspected, by who passes it on. */
function readAigc(notes, xmp) {
  for (const text of [xmp.get(TC260), notes.get("AIGC"), notes.get("user_comment")]) {
    let record = parseJson(text);
    if (record instanceof Map && record.get("AIGC") instanceof Map) record = record.get("AIGC");
    if (!(record instanceof Map) || !["1", "2", "3"].includes(words(record.get("Label")))) continue;
    const producer = textOf(record.get("ContentProducer"));
    return {
      generator: `China's AIGC label (GB 45438)${producer ? `, producer ${producer}` : ""}`,
      how: String(record.get("Label")) === "1" ? "made" : "unclear",
      settings: scalars(record),
    };
  }
  return null;
}
