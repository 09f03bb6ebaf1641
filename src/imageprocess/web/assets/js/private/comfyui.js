// ComfyUI's records: `prompt`, the graph that ran, and `workflow`, the editor's view (provenance/generators/comfyui.py).
// Walking back from what saves the picture shows whether the pixels began as noise (made), as a picture that was loaded
// (edited), or passed no sampler at all (unclear).

import { isScalar, parseJson, textOf } from "./generation.js";

const MAX_NODES = 5000;
const SAVES = /save|preview|output/i;
const LOADS_PICTURE = /load.*(image|video|frame|picture)|(image|video).*load|^input ?image/i;
const LOADS_MASK = /mask/i;
const SAMPLES = /sampler(?!.*select)/i;
const ASKS_SERVICE =
  /gpt.?image|dall.?e|flux.?(1.?)?pro|ideogram|recraft|stable.?image|gemini.?image|imagen|text.?to.?image/i;
const EMPTY = /empty.*latent|latent.*empty/i;
const EDITS_REFERENCE = /referencelatent|imageedit|pix2pix|instructpix|kontext/i;
const KEEPS_SIZE = /^(ksampler.*|samplercustom.*|vaedecode.*|.*(save|preview|output).*)$/i;
const CHANGES_SHAPE = /crop|pad|outpaint|stitch|grid|concat|composite|rotate|batch/i;
// Inputs that carry something other than the picture itself.
const NOT_PICTURE = new Set([
  "model", "clip", "vae", "positive", "negative", "conditioning", "control_net", "clip_vision", "style_model",
  "clip_vision_output", "mask", "noise", "sampler", "sigmas", "guider", "upscale_model", "text", "seed", "width",
  "height", "prompt", "filename_prefix", "ipadapter", "reference_image", "ref_image",
]);
const PROMPT_FIELDS = ["text", "prompt", "text_g", "t5xxl", "clip_l", "string", "value", "text1", "positive"];

/** The record, or null where neither text is a ComfyUI graph. */
export function readComfyui(prompt, workflow) {
  const ran = ranGraph(parseJson(prompt));
  const graph = ran.size ? ran : drawnGraph(parseJson(workflow));
  if (!graph.size) return null;
  const path = picturePath(graph);
  const sampler = path.map((id) => graph.get(id)).find(({ kind }) => SAMPLES.test(kind)) ?? null;
  const how = howMade(graph, path);
  const [size, resized] = how === "made" ? pictureSize(graph, path) : [null, false];
  return {
    generator: "ComfyUI",
    how,
    prompt: told(graph, sampler, ["positive", "guider", "conditioning"], PROMPT_FIELDS),
    negative_prompt: told(graph, sampler, ["negative"], PROMPT_FIELDS),
    seed: told(graph, sampler, ["seed", "noise_seed", "noise"], ["seed", "noise_seed", "value"]),
    sampler: told(graph, sampler, ["sampler_name", "sampler"], ["sampler_name"]),
    model: told(graph, sampler, ["model", "guider"], ["ckpt_name", "unet_name", "model_name", "gguf_name"]),
    settings: new Map([...(sampler?.inputs ?? [])].filter(([, value]) => isScalar(value))),
    size,
    resized,
  };
}

/** [input's name, id of the node it comes from] */
function links({ inputs }) {
  const found = [];
  for (const [name, value] of inputs) {
    if (Array.isArray(value) && value.length === 2 && isPlain(value[0])) found.push([name, String(value[0])]);
  }
  return found;
}

const isPlain = (value) => typeof value === "string" || Number.isInteger(value);

/** The `prompt` record as a graph: id -> {kind, inputs}; empty unless every node names its class. */
function ranGraph(record) {
  if (!(record instanceof Map) || record.size > MAX_NODES) return new Map();
  const graph = new Map();
  for (const [id, node] of record) {
    const kind = node instanceof Map ? node.get("class_type") : null;
    if (typeof kind !== "string") return new Map();
    const inputs = node.get("inputs");
    graph.set(id, { kind, inputs: inputs instanceof Map ? inputs : new Map() });
  }
  return graph;
}

/** The `workflow` record as the same kind of graph: links are numbered there, widgets have no names. */
function drawnGraph(record) {
  const graph = new Map();
  if (!(record instanceof Map)) return graph;
  const [nodes, lines] = [record.get("nodes"), record.get("links")];
  if (!Array.isArray(nodes) || !Array.isArray(lines) || nodes.length > MAX_NODES) return graph;
  const origin = new Map(
    lines.filter((line) => Array.isArray(line) && line.length >= 5 && isPlain(line[0])).map((line) => [line[0], String(line[1])]),
  );
  for (const node of nodes) {
    const kind = node instanceof Map ? node.get("type") : null;
    if (typeof kind !== "string" || [2, 4].includes(node.get("mode"))) continue; // muted and bypassed
    const inputs = new Map();
    for (const slot of Array.isArray(node.get("inputs")) ? node.get("inputs") : []) {
      if (slot instanceof Map && origin.has(slot.get("link"))) inputs.set(String(slot.get("name")), [origin.get(slot.get("link")), 0]);
    }
    const widgets = node.get("widgets_values");
    if (Array.isArray(widgets)) {
      if (EMPTY.test(kind) && widgets.length >= 2) inputs.set("width", widgets[0]).set("height", widgets[1]);
      else if (kind.includes("CLIPTextEncode") && widgets.length) inputs.set("text", widgets[0]);
    }
    graph.set(String(node.get("id")), { kind, inputs });
  }
  return graph;
}

/** Ids of the nodes that the pixels came through, from the saving node back. */
function picturePath(graph) {
  const nodes = [...graph];
  const consumed = new Set(nodes.flatMap(([, node]) => links(node).map(([, source]) => source)));
  const ends = nodes
    .filter(([id, node]) => !consumed.has(id) && links(node).some(([name]) => !NOT_PICTURE.has(name)))
    .map(([id]) => id);
  const saving = ends.filter((id) => SAVES.test(graph.get(id).kind));
  return walkBack(graph, saving.length ? saving : ends, (name) => !NOT_PICTURE.has(name));
}

function walkBack(graph, from, follows) {
  const seen = new Set();
  const queue = [...from];
  for (let at = 0; at < queue.length; at++) {
    const id = queue[at];
    if (seen.has(id) || !graph.has(id)) continue;
    seen.add(id);
    queue.push(...links(graph.get(id)).filter(([name]) => follows(name)).map(([, source]) => source));
  }
  return [...seen];
}

const isLoader = ({ kind }) => LOADS_PICTURE.test(kind) && !LOADS_MASK.test(kind);

function howMade(graph, path) {
  const nodes = path.map((id) => graph.get(id));
  if (nodes.some(isLoader)) return "edited";
  if (!nodes.some(({ kind }) => [SAMPLES, EMPTY, ASKS_SERVICE].some((pattern) => pattern.test(kind)))) return "unclear";
  const all = [...graph.values()];
  return all.some(({ kind }) => EDITS_REFERENCE.test(kind)) && all.some(isLoader) ? "edited" : "made";
}

/** [[width, height] of the latent that the picture began as or null, whether later nodes may have resized it] */
function pictureSize(graph, path) {
  const nodes = path.map((id) => graph.get(id));
  if (nodes.some(({ kind }) => CHANGES_SHAPE.test(kind))) return [null, false];
  const sizes = new Map();
  for (const { inputs } of nodes.filter(({ kind }) => EMPTY.test(kind))) {
    const [width, height] = ["width", "height"].map((side) => wholeNumber(graph, inputs.get(side)));
    if (width === null || height === null) return [null, false];
    sizes.set(`${width}x${height}`, [width, height]);
  }
  const resized = nodes.some(({ kind }) => !KEEPS_SIZE.test(kind) && !EMPTY.test(kind));
  return [sizes.size === 1 ? [...sizes.values()][0] : null, resized];
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
