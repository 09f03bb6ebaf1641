// Reads ComfyUI workflows (port of provenance/generators/comfyui.py). Walking the graph back from the node that saves the
// picture shows whether the pixels started as noise or text ("made"), as a picture that a model changed ("edited"), or
// passed no model ("unclear").

import { isScalar, sizeFits, textOf } from "./generation.js";
import { editorGraph, links, executedGraph, walkBack } from "./comfyui-graph.js";
import { pattern, TABLE } from "./tools-table.js";

const PROMPT_FIELDS = ["text", "prompt", "text_g", "t5xxl", "clip_l", "string", "value", "text1", "positive"];

const MAX_NAME = 200; // characters; some patterns take quadratic time
const MAX_OUTPUTS = 24; // output nodes examined

const fits = (name, text) => pattern(TABLE.comfyui[name], "i").test(text.slice(0, MAX_NAME));
const is = ({ kind }, name) => fits(name, kind);
const isPicture = (name) => !fits("not_picture", name);
const isModel = ([name]) => fits("model_inputs", name);

/** -> the generation record, or null if no document is a ComfyUI graph. The executed graph takes precedence over the editor's. */
export function readComfyui(documents, image) {
  for (const { value } of documents) {
    const graph = executedGraph(value);
    if (graph.size) return read(graph, image, typeof value.get("extraMetadata") === "string" ? "Civitai (ComfyUI)" : "ComfyUI");
  }
  for (const { value } of documents) {
    const graph = editorGraph(value);
    if (graph.size) return read(graph, image, "ComfyUI");
  }
  return null;
}

function read(graph, image, generator) {
  const { how, path, size, resized } = analyse(graph, image);
  const sampler = path.map((id) => graph.get(id)).find((node) => samples(node) || callsService(node)) ?? null;
  return {
    generator,
    how,
    prompt: textFor(graph, sampler, ["positive", "guider", "conditioning", "prompt"], PROMPT_FIELDS),
    negative_prompt: textFor(graph, sampler, ["negative", "negative_prompt"], PROMPT_FIELDS),
    seed: textFor(graph, sampler, ["seed", "noise_seed", "noise"], ["seed", "noise_seed", "value"]),
    sampler: textFor(graph, sampler, ["sampler_name", "sampler"], ["sampler_name"]),
    model: textFor(graph, sampler, ["model", "guider"], ["ckpt_name", "unet_name", "model_name", "gguf_name", "model"]),
    settings: new Map([...(sampler?.inputs ?? [])].filter(([, value]) => isScalar(value))),
    size,
    resized,
  };
}

/** How the saved picture was made. If several are saved, those whose size may be this file's count. */
function analyse(graph, image) {
  const all = outputNodes(graph).map((end) => {
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

/** Nodes that save a picture; if there are none, nodes that preview one or that nothing consumes. */
function outputNodes(graph) {
  const nodes = [...graph];
  const consumed = new Set(nodes.flatMap(([, node]) => links(node).map(([, source]) => source)));
  const takers = nodes.filter(([, node]) => links(node).some(([name]) => isPicture(name)));
  const withoutPreviews = (some) => some.filter(([, node]) => !is(node, "previews"));
  const saving = takers.filter(([, node]) => saves(node));
  const last = takers.filter(([id]) => !consumed.has(id));
  const outputs = [withoutPreviews(saving), saving, withoutPreviews(last), last].find((some) => some.length) ?? [];
  return outputs.slice(0, MAX_OUTPUTS).map(([id]) => id);
}

function howMade(graph, path) {
  const nodes = path.map((id) => graph.get(id));
  const makes = nodes.some((node) => samples(node) || callsService(node));
  const pixels = withoutMaps(graph, path);
  const loads = (from) => walkBack(pixels, from, isPicture).some((id) => isLoader(pixels.get(id)));
  if (loads(path.slice(0, 1))) return makes || nodes.some(appliesModel) ? "edited" : "unclear";
  if (!makes) return "unclear";
  const references = walkBack(graph, path, () => true).filter((id) => is(graph.get(id), "edits_reference"));
  return loads(references) ? "edited" : "made";
}

/** The graph without nodes that pass on a control map only: no pixel of their input picture reaches the result. */
function withoutMaps(graph, path) {
  const behind = walkBack(graph, path, () => true).map((id) => graph.get(id));
  const weights = behind.flatMap(({ inputs }) => [...inputs.values()]).filter((value) => typeof value === "string");
  const takesMap = weights.some((value) => value.length <= MAX_NAME && fits("structure_models", value));
  const isMap = (node) => is(node, "structure") || (takesMap && is(node, "conditions_on_structure"));
  return new Map([...graph].filter(([, node]) => !isMap(node)));
}

/** ComfyUI's own samplers, and nodes that take a model together with a seed, noise or a noise schedule. */
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
  if (named && names.length === linked.length) return models || linked.some(([name]) => !isPicture(name)); // in the older form of the editor's graph
  return (models && sampling >= 1) || (named && sampling >= 2 && names.some((name) => fits("denoising_inputs", name)));
}

/** Some save nodes also take a prompt, a seed and a model name, to write them into the file. */
const saves = (node) => node.inputs.has("filename_prefix") || is(node, "saves");

/** A node that calls a generation service: takes a prompt and no local model; with a picture as input, also a seed or model name. */
function callsService(node) {
  if (!node.inputs.has("prompt") || links(node).some(isModel) || saves(node)) return false;
  if (["seed", "model", "model_name"].some((name) => node.inputs.has(name))) return true;
  return !links(node).some(([name]) => isPicture(name)) && !namesPicture(node);
}

/** A model changes the picture without sampling. */
const appliesModel = (node) => {
  if (saves(node)) return false;
  const isPrompted = node.inputs.has("prompt") && links(node).some(([name]) => isPicture(name));
  return isPrompted || is(node, "edits_without_a_model_input") || links(node).some(isModel);
};

/** Loads a picture from outside the graph. */
function isLoader(node) {
  if (links(node).some(([name]) => isPicture(name)) || is(node, "loads_mask")) return false;
  return !samples(node) && !callsService(node) && namesPicture(node);
}

/** Names a file, folder or camera as the source of pictures. */
function namesPicture(node) {
  const literals = [...node.inputs].filter(([, value]) => ["string", "boolean"].includes(typeof value));
  return is(node, "loads_picture") || literals.some(([name]) => fits("picture_sources", name));
}

/** -> [[width, height] stated by the node nearest to the output, or null; whether later nodes may have resized it] */
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

/** A positive integer, given here or in the linked node; else null. */
function wholeNumber(graph, value) {
  if (Array.isArray(value) && value.length && graph.has(String(value[0]))) {
    const { inputs } = graph.get(String(value[0]));
    value = inputs.has("value") ? inputs.get("value") : inputs.get("int");
  }
  return Number.isInteger(value) && value > 0 ? value : null;
}

/** The text in one of the node's inputs `names`, or in `fields` of the nodes linked to it; else null. */
function textFor(graph, node, names, fields) {
  if (!node) return null;
  const linked = new Map(links(node));
  for (const name of names) {
    if (linked.has(name)) {
      for (const source of walkBack(graph, [linked.get(name)], () => true)) {
        const { inputs } = graph.get(source);
        const text = fields.map((field) => textOf(inputs.get(field))).find(Boolean);
        if (text) return text;
      }
    } else if (textOf(node.inputs.get(name))) return textOf(node.inputs.get(name));
  }
  return null;
}
