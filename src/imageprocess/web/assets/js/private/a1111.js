// Parses the `parameters` text of AUTOMATIC1111's web UI and its forks (port of provenance/generators/a1111.py).

import { stripped } from "./bytes.js";

const IN_A_LINE = /(?:^|[\r\n])[ \t]*Steps: ?\d/g;
const ANYWHERE = /(?<![A-Za-z])Steps: ?\d+, /g;
const NEXT_SETTING = /,?[ \t]{0,40}[\r\n]{1,20}[ \t]{0,40}(?=[A-Z][\p{L}\p{N}_ ]{0,40}: )/gu; // one setting a line
const NEGATIVE = "Negative prompt:";
const SIBLINGS = ["sampler", "seed", "cfg scale", "model", "model hash"];
const MAX_SETTINGS = 100_000; // characters
const MIN_ON_ONE_LINE = 3; // siblings required if the settings do not start on their own line
const SECOND_PASS = /^(hires |first pass size|refine|second pass)/i;
const INPUT_PICTURE = /^(mask blur|masked content|inpaint area|init(ial)? image|init size)/i;
const LINE_ENDS = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;

/** @param {string | undefined} text @returns the generation record, or null if the text is not one */
export function readA1111(text) {
  const parts = text?.includes("Steps:") ? splitPrompt(text.trim()) : null;
  if (!parts) return null;
  const [promptText, settings] = parts;
  const byName = new Map();
  for (const [name, value] of settings) if (!byName.has(name.toLowerCase())) byName.set(name.toLowerCase(), value);
  const negativeAt = promptText.indexOf(NEGATIVE);
  return {
    generator: generator(byName),
    how: how(byName),
    prompt: (negativeAt < 0 ? promptText : promptText.slice(0, negativeAt)).trim(),
    negative_prompt: negativeAt < 0 ? "" : promptText.slice(negativeAt + NEGATIVE.length).trim(),
    seed: byName.get("seed"),
    sampler: byName.get("sampler"),
    model: byName.get("model") || byName.get("unet"),
    settings,
  };
}

/** -> [text before the settings, settings], or null. */
function splitPrompt(text) {
  for (const [start, minSiblings] of /** @type {[RegExp, number][]} */ ([[IN_A_LINE, 1], [ANYWHERE, MIN_ON_ONE_LINE]])) {
    const last = [...text.matchAll(start)].at(-1);
    if (!last) continue;
    const settings = parseSettings(text.slice(last.index, last.index + MAX_SETTINGS).replace(NEXT_SETTING, ", ").split(LINE_ENDS).join(" ").trim());
    if (countSiblings(settings) >= minSiblings) return [text.slice(0, last.index), settings];
  }
  return null;
}

/** Number of other sampler settings. "Steps:" alone is not enough: a fitness tracker writes it too, beside a model name. */
function countSiblings(settings) {
  const byName = new Map([...settings].map(([name, value]) => [name.toLowerCase(), value]));
  const present = SIBLINGS.filter((name) => byName.has(name) && (!["seed", "cfg scale"].includes(name) || /^-?\d/.test(byName.get(name))));
  return present.some((name) => !name.startsWith("model")) ? present.length : 0;
}

/** A denoising strength above 0 without a second pass means img2img: generation started from an input picture. */
function how(byName) {
  const operation = (byName.get("operations") ?? "").split(";")[0].trim();
  const names = [...byName.keys()];
  if (names.some((name) => INPUT_PICTURE.test(name)) || ["img2img", "inpaint"].includes(operation)) return "edited";
  if (operation || names.some((name) => SECOND_PASS.test(name))) return "made";
  // Draw Things calls it strength; 1 starts from pure noise.
  if (byName.has("seed mode")) return number(byName.get("strength")) < 1 ? "edited" : "made";
  return number(byName.get("denoising strength") ?? "0") > 0 ? "edited" : "made";
}

const number = (text) => (text && !Number.isNaN(Number(text)) ? Number(text) : 1);

/** `A: 1, B: "x, y", C: {..}` -> Map of pairs. Commas inside quotes or brackets do not separate pairs. */
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

function generator(byName) {
  const version = byName.get("version") ?? "";
  if (/^(Fooocus|ComfyUI|stable-diffusion\.cpp|SD\.Next)/.test(version)) return version;
  if (byName.get("app") === "SD.Next") return `SD.Next ${version}`.trim();
  if (byName.has("civitai resources")) return "Civitai";
  if (byName.has("seed mode")) return "Draw Things";
  if (/^(f\d|neo|classic)/.test(version)) return "Stable Diffusion WebUI Forge";
  return "Stable Diffusion web UI (AUTOMATIC1111 or a derivative)";
}
