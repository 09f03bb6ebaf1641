// ComfyUI's records (provenance/generators/comfyui.py). Walking back from what saves the picture shows whether the pixels
// began as noise or as a text (made), as a picture that a model then changed (edited), or met no model (unclear).

import { isScalar, sizeFits, textOf } from "./generation.js";
import { drawnGraph, links, ranGraph, walkBack } from "./nodes.js";
import { pattern, TABLE } from "./table.js";

const PROMPT_FIELDS = ["text", "prompt", "text_g", "t5xxl", "clip_l", "string", "value", "text1", "positive"];

const MAX_NAME = 200; // characters of a name that the patterns see: some take time in its square
const MAX_ENDS = 24; // saved pictures that are looked at

const fits = (name, text) => pattern(TABLE.comfyui[name], "i").test(text.slice(0, MAX_NAME));
const is = ({ kind }, name) => fits(name, kind);
const isPicture = (name) => !fits("not_picture", name);
const isModel = ([name]) => fits("model_inputs", name);

/** The record, or null where no document is a ComfyUI graph. The graph that ran counts more than the drawn one. */
export function readComfyui(documents, image) {
  for (const { value } of documents) {
    const graph = ranGraph(value);
    if (graph.size) return read(graph, image, typeof value.get("extraMetadata") === "string" ? "Civitai (ComfyUI)" : "ComfyUI");
  }
  for (const { value } of documents) {
    const graph = drawnGraph(value);
    if (graph.size) return read(graph, image, "ComfyUI");
  }
  return null;
}

function read(graph, image, generator) {
  const { how, path, size, resized } = judge(graph, image);
  const sampler = path.map((id) => graph.get(id)).find((node) => samples(node) || asksService(node)) ?? null;
  return {
    generator,
    how,
    prompt: told(graph, sampler, ["positive", "guider", "conditioning", "prompt"], PROMPT_FIELDS),
    negative_prompt: told(graph, sampler, ["negative", "negative_prompt"], PROMPT_FIELDS),
    seed: told(graph, sampler, ["seed", "noise_seed", "noise"], ["seed", "noise_seed", "value"]),
    sampler: told(graph, sampler, ["sampler_name", "sampler"], ["sampler_name"]),
    model: told(graph, sampler, ["model", "guider"], ["ckpt_name", "unet_name", "model_name", "gguf_name", "model"]),
    settings: new Map([...(sampler?.inputs ?? [])].filter(([, value]) => isScalar(value))),
    size,
    resized,
  };
}

/** What the graph says of the picture that it saves; of several, the ones that may have this file's size count. */
function judge(graph, image) {
  const all = ends(graph).map((end) => {
    const path = walkBack(graph, [end], isPicture);
    const how = howMade(graph, path);
    const [size, resized] = how === "made" ? statedSize(graph, path) : [null, false];
    return { how, path, size, resized };
  });
  if (!all.length) return { how: "unclear", path: [], size: null, resized: false };
  const fitting = all.filter(({ size, resized }) => size && sizeFits(size, resized, image));
  const [best] = fitting.length ? fitting : all;
  if (fitting.length || new Set(all.map(({ how }) => how)).size === 1) return best;
  return { how: "unclear", path: best.path, size: null, resized: false };
}

/** Nodes that save a picture; only where there are none, what is previewed or left at an end. */
function ends(graph) {
  const nodes = [...graph];
  const consumed = new Set(nodes.flatMap(([, node]) => links(node).map(([, source]) => source)));
  const takers = nodes.filter(([, node]) => links(node).some(([name]) => isPicture(name)));
  const unseen = (some) => some.filter(([, node]) => !is(node, "previews"));
  const saving = takers.filter(([, node]) => saves(node));
  const last = takers.filter(([id]) => !consumed.has(id));
  const found = [unseen(saving), saving, unseen(last), last].find((some) => some.length) ?? [];
  return found.slice(0, MAX_ENDS).map(([id]) => id);
}

function howMade(graph, path) {
  const nodes = path.map((id) => graph.get(id));
  const makes = nodes.some((node) => samples(node) || asksService(node));
  const pixels = withoutMaps(graph, path);
  const loads = (from) => walkBack(pixels, from, isPicture).some((id) => isLoader(pixels.get(id)));
  if (loads(path.slice(0, 1))) return makes || nodes.some(touches) ? "edited" : "unclear";
  if (!makes) return "unclear";
  const references = walkBack(graph, path, () => true).filter((id) => is(graph.get(id), "edits_reference"));
  return loads(references) ? "edited" : "made";
}

/** The graph without the nodes that let only a control map through: no pixel of its picture reaches the result. */
function withoutMaps(graph, path) {
  const behind = walkBack(graph, path, () => true).map((id) => graph.get(id));
  const weights = behind.flatMap(({ inputs }) => [...inputs.values()]).filter((value) => typeof value === "string");
  const takesMap = weights.some((value) => value.length <= MAX_NAME && fits("structure_models", value));
  const isMap = (node) => is(node, "structure") || (takesMap && is(node, "conditions_on_structure"));
  return new Map([...graph].filter(([, node]) => !isMap(node)));
}

/** ComfyUI's own samplers, and what takes a model, and a seed, a noise or its schedule. */
function samples(node) {
  if (is(node, "core_samplers")) return true;
  if (saves(node)) return false;
  const names = [...node.inputs.keys()];
  if (is(node, "scales") && !["seed", "noise_seed", "denoise"].some((name) => node.inputs.has(name))) return false;
  const linked = links(node);
  const sampling = names.filter((name) => fits("sampling_inputs", name)).length;
  const models = linked.some(isModel);
  const kind = node.kind.toLowerCase();
  const named = kind.includes("sampler") && !kind.includes("select");
  if (named && names.length === linked.length) return models || linked.some(([name]) => !isPicture(name)); // drawn, in the older form
  return (models && sampling >= 1) || (named && sampling >= 2 && names.some((name) => fits("denoising_inputs", name)));
}

/** Some that save take a prompt, a seed and a model's name, to write them into the file. */
const saves = (node) => node.inputs.has("filename_prefix") || is(node, "saves");

/** Takes a prompt and no model of ours; with a picture among its inputs, a seed or a model's name besides. */
function asksService(node) {
  if (!node.inputs.has("prompt") || links(node).some(isModel) || saves(node)) return false;
  if (["seed", "model", "model_name"].some((name) => node.inputs.has(name))) return true;
  return !links(node).some(([name]) => isPicture(name)) && !namesPicture(node);
}

/** A model takes part in what becomes of the picture, without sampling. */
const touches = (node) => {
  if (saves(node)) return false;
  const isTold = node.inputs.has("prompt") && links(node).some(([name]) => isPicture(name));
  return isTold || is(node, "edits_without_a_model_input") || links(node).some(isModel);
};

/** Brings a picture in from outside. */
function isLoader(node) {
  if (links(node).some(([name]) => isPicture(name)) || is(node, "loads_mask")) return false;
  return !samples(node) && !asksService(node) && namesPicture(node);
}

/** Names a file, a folder or a camera that pictures come from. */
function namesPicture(node) {
  const given = [...node.inputs].filter(([, value]) => ["string", "boolean"].includes(typeof value));
  return is(node, "loads_picture") || given.some(([name]) => fits("picture_sources", name));
}

/** [[width, height] that the node nearest to the end states or null, whether nodes behind it may have resized it] */
function statedSize(graph, path) {
  let resized = false;
  for (const node of path.map((id) => graph.get(id))) {
    const [width, height] = ["width", "height"].map((side) => wholeNumber(graph, node.inputs.get(side)));
    if (width && height) return [[width, height], resized];
    if (is(node, "changes_shape") || is(node, "empty")) return [null, false];
    resized ||= is(node, "scales") || !is(node, "keeps_size");
  }
  return [null, false];
}

/** A positive whole number, written here or in the node that it is linked from. */
function wholeNumber(graph, value) {
  if (Array.isArray(value) && value.length && graph.has(String(value[0]))) {
    const { inputs } = graph.get(String(value[0]));
    value = inputs.has("value") ? inputs.get("value") : inputs.get("int");
  }
  return Number.isInteger(value) && value > 0 ? value : null;
}

/** The text that one of the node's `names` holds, or that the nodes it is linked from hold in `fields`. */
function told(graph, node, names, fields) {
  if (!node) return null;
  const linked = new Map(links(node));
  for (const name of names) {
    if (linked.has(name)) {
      for (const source of walkBack(graph, [linked.get(name)], () => true)) {
        const { inputs } = graph.get(source);
        const found = fields.map((field) => textOf(inputs.get(field))).find(Boolean);
        if (found) return found;
      }
    } else if (textOf(node.inputs.get(name))) return textOf(node.inputs.get(name));
  }
  return null;
}
