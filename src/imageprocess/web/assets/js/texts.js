// Every text that a script writes into a page, by key; {name} is filled in. One such table is one language.

const TEXTS = {
  "limits": "JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF · up to {size} each",
  "privacy.local": "The service runs on this computer: your pictures do not leave it. They are looked at in memory and not kept.",
  "privacy.host": "Your pictures are sent to {host}, looked at in memory there, and not kept.",

  "choose": "Choose pictures",
  "choose.more": "Add pictures",
  "run.one": "Check picture",
  "run.other": "Check {count} pictures",
  "again.one": "Check it again",
  "again.other": "Check all {count} again",
  "progress": "{done} of {total} checked",
  "finished.one": "{name}: {verdict}",
  "finished.other": "{count} pictures checked: {ai} AI, {real} real, {unsure} unsure, {failed} failed.",
  "cancelled": "Stopped. {done} of {total} checked.",

  "card.waiting": "Ready to be checked.",
  "card.running": "Looking…",
  "card.remove": "Remove {name}",
  "card.preview": "Preview of {name}",
  "card.no-preview": "This browser cannot show this file.",
  "card.facts": "{format} · {width} × {height} · {size}",

  "verdict.ai": "Looks AI-made",
  "verdict.real": "Looks real",
  "verdict.unsure": "Cannot tell",
  "verdict.ai.stated": "Marked as AI-made",
  "verdict.real.stated": "Signed as real",
  "verdict.error": "Could not be checked",

  "meter.label": "Chance that an AI made it",
  "meter.label.stated": "As stated, not estimated",
  "meter.spoken": "{percent}. From {low} to {high} counts as unsure.",
  "meter.never-unsure": "{percent}. Up to {low} counts as real, from there on as AI.",
  "meter.stated": "{percent}, as stated; not an estimate",
  "meter.real": "real",
  "meter.unsure": "unsure",
  "meter.ai": "AI",

  "decided": "Decided by",
  "decided.c2pa": "signed Content Credentials (C2PA)",
  "decided.watermark": "an invisible watermark",
  "decided.metadata": "what the file says of itself",
  "decided.model": "the network, from the pixels alone",
  "decided.abstain": "nothing: the evidence is not enough",

  "evidence": "Evidence",
  "evidence.none": "Nothing was found.",
  "kind.c2pa": "Content Credentials",
  "kind.iptc": "Digital source type",
  "kind.generator_metadata": "Generator's metadata",
  "kind.exif": "Camera facts",
  "kind.watermark": "Watermark",
  "kind.model": "Neural network",
  "trust.trusted": "trusted signature",
  "trust.valid_untrusted": "intact, signer not trusted",
  "trust.broken": "broken signature",
  "trust.unsigned": "unsigned",
  "trust.measured": "measured",
  "points.ai": "speaks for AI",
  "points.ai_edited": "edited with AI",
  "points.real": "speaks for real",
  "points.nothing": "decides nothing",
  "evidence.unchecked":
    "Only open marks can be read here. Google's SynthID and other keyed marks can be checked by their makers alone, and most generators leave no mark at all.",
  "record.generator": "Written by",
  "record.model": "Model",
  "record.prompt": "Prompt",
  "record.negative_prompt": "Negative prompt",
  "record.seed": "Seed",
  "record.sampler": "Sampler",
  "proves": "It proves:",
  "proves.not": "It does not prove:",
  "proves.c2pa.trusted": "A signer on the trust list vouches for this very file.",
  "proves.c2pa.valid_untrusted": "The file is as it was signed, but anybody can sign.",
  "proves.c2pa.broken": "The file was changed after it was signed.",
  "proves.iptc": "Anyone can write or remove this field.",
  "proves.generator_metadata": "Anyone can write or remove such a note.",
  "proves.exif": "Easily copied or removed: it never decides.",
  "proves.watermark": "Where it is found it is telling; where it is missing that says nothing.",
  "proves.model": "An estimate, often right and sometimes wrong; it proves nothing alone.",

  "heat.show": "Show where the model looked",
  "heat.caption": "Where the model looked; not proof.",
  "heat.opacity": "Opacity",

  "table.source": "Picture",
  "table.verdict": "Verdict",
  "table.probability": "Chance of AI",
  "table.decided": "Decided by",
  "table.size": "Size",
  "export.file": "verdicts",

  "error.too_large": "The file is larger than {limit}.",
  "error.too_many_pixels": "The picture has too many pixels.",
  "error.unsupported_format": "Not an image format that is read here.",
  "error.corrupt": "The file is damaged: it does not decode as a picture.",
  "error.timeout": "It took too long.",
  "error.crashed": "The picture could not be analysed.",
  "error.busy": "The service is busy. Try again in a moment.",
  "error.key_missing": "The service asks for a key.",
  "error.key_wrong": "This key is not known to the service.",
  "error.network": "The service does not answer. Is it running?",

  "model.line": "{name} {version} · {sha}",
  "measured.none": "This model carries no measurements.",
  "measured.lead": "The model {name} {version}, measured on {date} on pictures that it was not trained on.",
  "split.val": "Validation pictures",
  "split.test": "Test pictures",
  "split.open_test": "Sources never seen in training",
  "split.all": "All pictures",

  "docs.parameter": "Query parameter",
  "docs.default": "default {value}",
  "docs.body": "Body",
  "docs.answers": "Answers",
  "docs.missing": "The API’s description (openapi.json) cannot be read here.",

  "network.lead": "Four rounds of looking for patterns, each coarser than the one before, then a vote. {parameters} learnt numbers in all: small enough for any computer.",
  "network.caption": "A real forward pass of this model over a picture that we drew: the {shown} maps of each block that vary most. Bright is where a map found its pattern.",
  "network.input": "The picture",
  "network.scene": "The drawn picture: a boat on a mountain lake in the evening",
  "network.block": "Block {number}",
  "network.maps": "{maps} maps of {side} × {side}",
  "network.sheet": "Feature maps of block {number}",
  "network.output": "The answer",
  "network.dense": "{flat} → {hidden} → 2",
  "network.ai": "made by an AI",
  "network.real": "real picture",
};

/** The text of `key` with {placeholders} filled in; the key itself where there is no such text. */
export function t(key, values = {}) {
  const text = TEXTS[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const has = (key) => key in TEXTS;

/** `key.one` or `key.other`, as the language counts. */
export function plural(key, count, values = {}) {
  const form = new Intl.PluralRules(language()).select(count);
  return t(has(`${key}.${form}`) ? `${key}.${form}` : `${key}.other`, { count, ...values });
}

const language = () => document.documentElement.lang || "en";

/** 0.934 -> "93%". An estimate never shows 0% or 100%: that would promise more than any model can. */
export function percent(p, estimate = true, digits = 0) {
  const whole = new Intl.NumberFormat(language(), { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
  if (estimate && p > 0.99) return `>${whole.format(0.99)}`;
  if (estimate && p < 0.01) return `<${whole.format(0.01)}`;
  return whole.format(p);
}

/** 3309090 -> "3,309,090". */
export const number = (value) => new Intl.NumberFormat(language()).format(value);

/** 2170101 -> "2.2 MB". */
export function bytes(count) {
  const [unit, size] = count < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  const digits = count < 1e7 && unit === "megabyte" ? 1 : 0;
  return new Intl.NumberFormat(language(), { style: "unit", unit, maximumFractionDigits: digits }).format(
    Math.max(count / size, 1 / 10 ** digits),
  );
}
