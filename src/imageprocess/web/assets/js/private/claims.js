// Reads C2PA (Content Credentials) claims without verifying signatures (port of provenance/c2pa: claims.py, history.py).

import { Reader, utf8 } from "./bytes.js";
import { decodeCbor } from "./cbor.js";
import { parseJson } from "./generation.js";
import { sourceType } from "./statements.js";
import { TABLE } from "./tools-table.js";

const MAX_MANIFESTS = 64;
const MAX_ASSERTIONS = 500;
const MAX_DEPTH = 16; // generations of ingredients
const MAX_ACTIONS = 1000;
const INCEPTION = ["c2pa.created", "c2pa.opened"];

/** -> {active: label, manifests: Map of label -> {generator, assertions, ingredients}}, or null without a claim. */
export function readClaims(store) {
  const reader = new Reader(store);
  const manifests = new Map();
  const [outer] = reader.boxes(0, store.length);
  for (const box of outer ? reader.boxes(outer.start, outer.end) : []) {
    const label = box.kind === "jumb" ? labelOf(reader, box) : null;
    const manifest = label ? readManifest(reader, box) : null;
    if (!manifest || manifests.size >= MAX_MANIFESTS) continue;
    manifests.delete(label);
    manifests.set(label, manifest);
  }
  return manifests.size ? { active: [...manifests.keys()].at(-1), manifests } : null;
}

/** The label in a superbox's description box: 16 bytes of type, toggles, zero-terminated label. */
function labelOf(reader, { start, end }) {
  const [first] = reader.boxes(start, end);
  if (first?.kind !== "jumd" || first.start + 17 > first.end || !(reader.data[first.start + 16] & 2)) return null;
  const rest = reader.data.subarray(first.start + 17, first.end);
  const zero = rest.indexOf(0);
  return utf8(zero < 0 ? rest : rest.subarray(0, zero));
}

const superboxes = (reader, { start, end }) =>
  reader.boxes(start, end).filter(({ kind }) => kind === "jumb").map((box) => [labelOf(reader, box), box]);

function readManifest(reader, manifest) {
  let claim = null;
  const assertions = [];
  for (const [label, box] of superboxes(reader, manifest)) {
    if (["c2pa.claim", "c2pa.claim.v2"].includes(label)) {
      const decoded = content(reader, box);
      if (decoded instanceof Map) claim = decoded;
    } else if (label === "c2pa.assertions") {
      for (const [name, assertion] of superboxes(reader, box)) {
        if (name && assertions.length < MAX_ASSERTIONS) assertions.push({ label: name, data: content(reader, assertion) });
      }
    }
  }
  if (!claim) return null;
  const info = claim.get("claim_generator_info");
  const first = Array.isArray(info) ? info[0] : info;
  const generator = (first instanceof Map && first.get("name")) || claim.get("claim_generator") || null;
  return { generator, assertions, ingredients: assertions.filter(({ label }) => label.startsWith("c2pa.ingredient")).map(ingredient) };
}

function content(reader, { start, end }) {
  for (const box of reader.boxes(start, end)) {
    const bytes = reader.data.subarray(box.start, box.end);
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
  const fields = data instanceof Map ? data : new Map();
  const link = fields.get("activeManifest") || fields.get("c2pa_manifest");
  const url = link instanceof Map ? link.get("url") : null;
  const [, rest = ""] = typeof url === "string" ? url.split("/c2pa/") : [];
  return { relationship: fields.get("relationship"), title: fields.get("dc:title"), child: rest.split("/")[0] || null };
}

/**
 * Summarises what a manifest and its ingredients say of how the picture was made.
 * @param {Map} manifests readClaims's @param {string} label of the manifest @param {Set<string>} usable labels that may be
 * followed @returns {{pointsTo: string, signals: string[], agents: string[], manifests: string[]}}
 */
export function summarise(manifests, label, usable, depth = 0) {
  const manifest = manifests.get(label);
  const summary = { pointsTo: "nothing", signals: [], agents: [], manifests: [label] };
  if (!manifest || depth > MAX_DEPTH) return summary;
  const actions = actionsOf(manifest);
  summary.signals = [...new Set(actions.map(signal).filter(Boolean))];
  const agentNames = actions.flatMap((action) => [agent(action), parameter(action, "com.adobe.details")]);
  summary.agents = [...new Set(agentNames.filter((name) => typeof name === "string" && name))];
  const [parents, components] = [[], []];
  for (const { relationship, child } of manifest.ingredients) {
    if (!["parentOf", "componentOf"].includes(relationship)) continue; // inputTo: input to a model, not part of the picture
    const isUsable = child && usable.has(child) && child !== label;
    const rest = new Set(usable);
    rest.delete(label);
    (relationship === "parentOf" ? parents : components).push(isUsable ? summarise(manifests, child, rest, depth + 1) : null);
  }
  summary.pointsTo = pointsTo(summary.signals, actions, parents, components);
  for (const part of [...parents, ...components]) {
    if (part) for (const key of ["signals", "agents", "manifests"]) summary[key] = [...new Set([...summary[key], ...part[key]])];
    else summary.signals = [...new Set([...summary.signals, "mediaUnknownProvenance"])];
  }
  return summary;
}

function pointsTo(signals, actions, parents, components) {
  const parentClaims = parents.filter(Boolean).map((part) => part.pointsTo);
  const has = (...names) => names.some((name) => signals.includes(name));
  if (has("fullyGenAIMedia") || parentClaims.includes("ai")) return "ai";
  const hasAiPart = components.some((part) => ["ai", "ai_edited"].includes(part?.pointsTo));
  if (has("perceptibleGenAI", "partlyGenAICreation") || parentClaims.includes("ai_edited") || hasAiPart) return "ai_edited";
  const isCaptured = has("capturedMedia", "capturedMediaStitched");
  const harmless = [...INCEPTION, ...TABLE.c2pa.non_editorial];
  const isUnedited = actions.every((action) => harmless.includes(action.get("action"))) && !components.length;
  const fromCapture = isCaptured ? !parents.length : parentClaims.length === 1 && parentClaims[0] === "real" && parents.length === 1;
  return isUnedited && fromCapture ? "real" : "nothing";
}

function signal(action) {
  const table = TABLE.c2pa;
  const name = action.get("action");
  let term = sourceType(action.get("digitalSourceType")) ?? sourceType(parameter(action, "com.adobe.digitalSourceType"));
  if (INCEPTION.includes(name)) {
    const isAi = table.ai_agents.includes(agent(action)) || table.ai_descriptions.includes(action.get("description"));
    if (isAi) term ??= "trainedAlgorithmicMedia";
    return table.inception_signals[term] ?? null;
  }
  if (table.non_editorial.includes(name)) return "nonEditorial";
  if (table.generative.includes(term)) return "perceptibleGenAI";
  if (table.possibly_generative.includes(term)) return "perceptiblePossiblyGenAI";
  return term ? "perceptibleNonGenAI" : "ambiguousActions";
}

/** All actions of the manifest. The oldest producers wrote a bare list labelled "actions". */
function actionsOf({ assertions }) {
  const actions = [];
  for (const { label, data } of assertions) {
    if (!["c2pa.actions", "actions"].includes(label.split(".v")[0].split("__")[0])) continue;
    const list = data instanceof Map ? data.get("actions") : data;
    actions.push(...(Array.isArray(list) ? list.filter((action) => action instanceof Map && typeof action.get("action") === "string") : []));
  }
  return actions.slice(0, MAX_ACTIONS);
}

function agent(action) {
  const software = action.get("softwareAgent");
  const name = software instanceof Map ? software.get("name") : software;
  return typeof name === "string" && name ? name : null;
}

function parameter(action, name) {
  const parameters = action.get("parameters");
  return parameters instanceof Map ? parameters.get(name) : null;
}
