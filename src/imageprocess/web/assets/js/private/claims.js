// What Content Credentials say, read without checking any signature (provenance/c2pa: claims.py and history.py).

import { Reader, utf8 } from "./bytes.js";
import { decodeCbor } from "./cbor.js";
import { parseJson } from "./generation.js";
import { sourceType } from "./statements.js";
import { TABLE } from "./table.js";

const MAX_MANIFESTS = 64;
const MAX_ASSERTIONS = 500;
const MAX_DEPTH = 16; // generations of ingredients
const MAX_ACTIONS = 1000;
const INCEPTION = ["c2pa.created", "c2pa.opened"];

/** {active: label, manifests: Map: label -> {generator, assertions, ingredients}}, or null where there is no claim. */
export function readClaims(store) {
  const at = new Reader(store);
  const manifests = new Map();
  const [outer] = at.boxes(0, store.length);
  for (const box of outer ? at.boxes(outer.start, outer.end) : []) {
    const label = box.kind === "jumb" ? labelOf(at, box) : null;
    const manifest = label ? readManifest(at, box) : null;
    if (!manifest || manifests.size >= MAX_MANIFESTS) continue;
    manifests.delete(label);
    manifests.set(label, manifest);
  }
  return manifests.size ? { active: [...manifests.keys()].at(-1), manifests } : null;
}

/** A superbox's label: 16 bytes of type, toggles, the label with a zero behind it. */
function labelOf(at, { start, end }) {
  const [first] = at.boxes(start, end);
  if (first?.kind !== "jumd" || first.start + 17 > first.end || !(at.data[first.start + 16] & 2)) return null;
  const rest = at.data.subarray(first.start + 17, first.end);
  const zero = rest.indexOf(0);
  return utf8(zero < 0 ? rest : rest.subarray(0, zero));
}

const superboxes = (at, { start, end }) =>
  at.boxes(start, end).filter(({ kind }) => kind === "jumb").map((box) => [labelOf(at, box), box]);

function readManifest(at, manifest) {
  let claim = null;
  const assertions = [];
  for (const [label, box] of superboxes(at, manifest)) {
    if (["c2pa.claim", "c2pa.claim.v2"].includes(label)) {
      const found = content(at, box);
      if (found instanceof Map) claim = found;
    } else if (label === "c2pa.assertions") {
      for (const [name, one] of superboxes(at, box)) {
        if (name && assertions.length < MAX_ASSERTIONS) assertions.push({ label: name, data: content(at, one) });
      }
    }
  }
  if (!claim) return null;
  const info = claim.get("claim_generator_info");
  const first = Array.isArray(info) ? info[0] : info;
  const generator = (first instanceof Map && first.get("name")) || claim.get("claim_generator") || null;
  return { generator, assertions, ingredients: assertions.filter(({ label }) => label.startsWith("c2pa.ingredient")).map(ingredient) };
}

function content(at, { start, end }) {
  for (const box of at.boxes(start, end)) {
    const bytes = at.data.subarray(box.start, box.end);
    try {
      if (box.kind === "cbor") return decodeCbor(bytes);
      if (box.kind === "json") return parseJson(utf8(bytes));
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  }
  return null;
}

function ingredient({ data }) {
  const told = data instanceof Map ? data : new Map();
  const link = told.get("activeManifest") || told.get("c2pa_manifest");
  const url = link instanceof Map ? link.get("url") : null;
  const [, rest = ""] = typeof url === "string" ? url.split("/c2pa/") : [];
  return { relationship: told.get("relationship"), title: told.get("dc:title"), child: rest.split("/")[0] || null };
}

/** What one manifest, its ingredients included, says: {pointsTo, signals, agents, manifests}. */
export function tell(manifests, label, usable, depth = 0) {
  const manifest = manifests.get(label);
  const story = { pointsTo: "nothing", signals: [], agents: [], manifests: [label] };
  if (!manifest || depth > MAX_DEPTH) return story;
  const actions = actionsOf(manifest);
  story.signals = [...new Set(actions.map(signal).filter(Boolean))];
  const named = actions.flatMap((action) => [agent(action), parameter(action, "com.adobe.details")]);
  story.agents = [...new Set(named.filter((name) => typeof name === "string" && name))];
  const [parents, components] = [[], []];
  for (const { relationship, child } of manifest.ingredients) {
    if (!["parentOf", "componentOf"].includes(relationship)) continue; // inputTo: a model's input, not part of the picture
    const isUsable = child && usable.has(child) && child !== label;
    const rest = new Set(usable);
    rest.delete(label);
    (relationship === "parentOf" ? parents : components).push(isUsable ? tell(manifests, child, rest, depth + 1) : null);
  }
  story.pointsTo = pointsTo(story.signals, actions, parents, components);
  for (const told of [...parents, ...components]) {
    if (told) for (const key of ["signals", "agents", "manifests"]) story[key] = [...new Set([...story[key], ...told[key]])];
    else story.signals = [...new Set([...story.signals, "mediaUnknownProvenance"])];
  }
  return story;
}

function pointsTo(signals, actions, parents, components) {
  const told = parents.filter(Boolean).map((story) => story.pointsTo);
  const has = (...names) => names.some((name) => signals.includes(name));
  if (has("fullyGenAIMedia") || told.includes("ai")) return "ai";
  const madePart = components.some((story) => ["ai", "ai_edited"].includes(story?.pointsTo));
  if (has("perceptibleGenAI", "partlyGenAICreation") || told.includes("ai_edited") || madePart) return "ai_edited";
  const captured = has("capturedMedia", "capturedMediaStitched");
  const kept = [...INCEPTION, ...TABLE.c2pa.non_editorial];
  const untouched = actions.every((action) => kept.includes(action.get("action"))) && !components.length;
  const fromCapture = captured ? !parents.length : told.length === 1 && told[0] === "real" && parents.length === 1;
  return untouched && fromCapture ? "real" : "nothing";
}

function signal(action) {
  const words = TABLE.c2pa;
  const name = action.get("action");
  let term = sourceType(action.get("digitalSourceType")) ?? sourceType(parameter(action, "com.adobe.digitalSourceType"));
  if (INCEPTION.includes(name)) {
    const named = words.ai_agents.includes(agent(action)) || words.ai_descriptions.includes(action.get("description"));
    if (named) term ??= "trainedAlgorithmicMedia";
    return words.inception_signals[term] ?? null;
  }
  if (words.non_editorial.includes(name)) return "nonEditorial";
  if (words.generative.includes(term)) return "perceptibleGenAI";
  if (words.possibly_generative.includes(term)) return "perceptiblePossiblyGenAI";
  return term ? "perceptibleNonGenAI" : "ambiguousActions";
}

/** Every action of the manifest; the oldest producers wrote a bare list under the label "actions". */
function actionsOf({ assertions }) {
  const found = [];
  for (const { label, data } of assertions) {
    if (!["c2pa.actions", "actions"].includes(label.split(".v")[0].split("__")[0])) continue;
    const list = data instanceof Map ? data.get("actions") : data;
    found.push(...(Array.isArray(list) ? list.filter((one) => one instanceof Map && typeof one.get("action") === "string") : []));
  }
  return found.slice(0, MAX_ACTIONS);
}

function agent(action) {
  const told = action.get("softwareAgent");
  const name = told instanceof Map ? told.get("name") : told;
  return typeof name === "string" && name ? name : null;
}

function parameter(action, name) {
  const parameters = action.get("parameters");
  return parameters instanceof Map ? parameters.get(name) : null;
}
