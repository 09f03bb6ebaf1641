// The `parameters` text of AUTOMATIC1111's web UI and its relatives (provenance/generators/a1111.py).

import { stripped } from "./bytes.js";

const IN_A_LINE = /(?:^|[\r\n])[ \t]*Steps: ?\d/g;
const ANYWHERE = /(?<![A-Za-z])Steps: ?\d+, /g;
const NEXT_SETTING = /,?[ \t]{0,40}[\r\n]{1,20}[ \t]{0,40}(?=[A-Z][\p{L}\p{N}_ ]{0,40}: )/gu; // one setting a line
const NEGATIVE = "Negative prompt:";
const SIBLINGS = ["sampler", "seed", "cfg scale", "model", "model hash"];
const MAX_SETTINGS = 100_000; // characters of settings that are read
const MIN_ON_ONE_LINE = 3; // siblings, where no line break sets the settings apart
const SECOND_PASS = /^(hires |first pass size|refine|second pass)/i;
const INPUT_PICTURE = /^(mask blur|masked content|inpaint area|init(ial)? image|init size)/i;
const LINE_ENDS = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;

/** The record in a text, or null. */
export function readA1111(text) {
  const found = text?.includes("Steps:") ? split(text.trim()) : null;
  if (!found) return null;
  const [before, settings] = found;
  const told = new Map();
  for (const [name, value] of settings) if (!told.has(name.toLowerCase())) told.set(name.toLowerCase(), value);
  const at = before.indexOf(NEGATIVE);
  return {
    generator: generator(told),
    how: how(told),
    prompt: (at < 0 ? before : before.slice(0, at)).trim(),
    negative_prompt: at < 0 ? "" : before.slice(at + NEGATIVE.length).trim(),
    seed: told.get("seed"),
    sampler: told.get("sampler"),
    model: told.get("model") || told.get("unet"),
    settings,
  };
}

/** What stands before the settings, and the settings. */
function split(text) {
  for (const [wanted, least] of /** @type {[RegExp, number][]} */ ([[IN_A_LINE, 1], [ANYWHERE, MIN_ON_ONE_LINE]])) {
    const last = [...text.matchAll(wanted)].at(-1);
    if (!last) continue;
    const settings = parseSettings(text.slice(last.index, last.index + MAX_SETTINGS).replace(NEXT_SETTING, ", ").split(LINE_ENDS).join(" ").trim());
    if (siblings(settings) >= least) return [text.slice(0, last.index), settings];
  }
  return null;
}

/** How many other settings of a sampler there are; a pedometer counts steps too, and its model has a name. */
function siblings(settings) {
  const told = new Map([...settings].map(([name, value]) => [name.toLowerCase(), value]));
  const found = SIBLINGS.filter((name) => told.has(name) && (!["seed", "cfg scale"].includes(name) || /^-?\d/.test(told.get(name))));
  return found.some((name) => !name.startsWith("model")) ? found.length : 0;
}

/** A denoising strength above 0 without a second pass is img2img's: the work began with an input picture. */
function how(told) {
  const operation = (told.get("operations") ?? "").split(";")[0].trim();
  const names = [...told.keys()];
  if (names.some((name) => INPUT_PICTURE.test(name)) || ["img2img", "inpaint"].includes(operation)) return "edited";
  if (operation || names.some((name) => SECOND_PASS.test(name))) return "made";
  // Draw Things calls it strength; 1 begins from noise.
  if (told.has("seed mode")) return number(told.get("strength")) < 1 ? "edited" : "made";
  return number(told.get("denoising strength") ?? "0") > 0 ? "edited" : "made";
}

const number = (text) => (text && !Number.isNaN(Number(text)) ? Number(text) : 1);

/** `A: 1, B: "x, y", C: {..}` -> its pairs. Commas inside quotes or brackets do not part. */
function parseSettings(line) {
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
      if (name !== undefined && !pairs.has(name.trim())) pairs.set(name.trim(), stripped(value.trim(), '"'));
      start = at + 1;
    }
  }
  return pairs;
}

function generator(told) {
  const version = told.get("version") ?? "";
  if (/^(Fooocus|ComfyUI|stable-diffusion\.cpp|SD\.Next)/.test(version)) return version;
  if (told.get("app") === "SD.Next") return `SD.Next ${version}`.trim();
  if (told.has("civitai resources")) return "Civitai";
  if (told.has("seed mode")) return "Draw Things";
  if (/^(f\d|neo|classic)/.test(version)) return "Stable Diffusion WebUI Forge";
  return "Stable Diffusion web UI (AUTOMATIC1111 or a relative)";
}
