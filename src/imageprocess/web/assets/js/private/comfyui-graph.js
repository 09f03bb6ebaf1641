// Reads ComfyUI's two records into one kind of graph (port of provenance/generators/graph.py): `prompt`, the executed
// graph, and `workflow`, the editor's graph, whose subgraphs are expanded. A graph is a Map of id -> {kind, inputs: Map}.

const MAX_NODES = 5000;
const MAX_NESTING = 8; // nested subgraphs
const MUTED = [2, 4]; // muted, bypassed

const isPlain = (value) => ["string", "boolean"].includes(typeof value) || Number.isInteger(value);
const isLink = (value) => Array.isArray(value) && value.length === 2 && isPlain(value[0]);
const maps = (value) => (Array.isArray(value) ? value.filter((item) => item instanceof Map) : []);

/** [input's name, id of the node it comes from] */
export const links = ({ inputs }) =>
  [...inputs].filter(([, value]) => isLink(value)).map(([name, value]) => [name, String(value[0])]);

/** The graph in a `prompt` record; empty unless most entries are nodes with a class. */
export function executedGraph(record) {
  const graph = new Map();
  if (!(record instanceof Map) || record.size > MAX_NODES) return graph;
  for (const [id, node] of record) {
    const kind = node instanceof Map ? node.get("class_type") : null;
    if (typeof kind !== "string") continue;
    const inputs = node.get("inputs");
    graph.set(id, { kind, inputs: inputs instanceof Map ? new Map(inputs) : new Map() });
  }
  return 2 * graph.size > record.size ? graph : new Map();
}

/** The graph in a `workflow` record, where links are numbered and widgets have no names. */
export function editorGraph(record) {
  const graph = new Map();
  if (!(record instanceof Map) || !Array.isArray(record.get("nodes"))) return graph;
  if (maps(record.get("nodes")).some((node) => node.get("data") instanceof Map)) return graph; // InvokeAI's format
  const definitions = record.get("definitions");
  const subgraphs = definitions instanceof Map ? maps(definitions.get("subgraphs")) : [];
  const known = new Map(subgraphs.filter((one) => typeof one.get("id") === "string").map((one) => [one.get("id"), one]));
  expand(record, "", known, graph, new Map(), 0);
  return graph.size <= MAX_NODES ? graph : new Map();
}

/** Add a (sub)graph's nodes to `graph`. `outer`: origins of its inputs. -> origins of its outputs. */
function expand(view, prefix, known, graph, outer, depth) {
  const [entry, exit] = ["inputNode", "outputNode"].map((side) => (view.get(side) instanceof Map ? view.get(side).get("id") : undefined));
  const lines = (Array.isArray(view.get("links")) ? view.get("links") : []).map(link).filter(Boolean);
  const origins = new Map(); // link -> [node's id, slot]
  for (const [number, origin, slot] of lines) {
    if (entry !== undefined && origin === entry) {
      if (outer.has(slot)) origins.set(number, outer.get(slot));
    } else origins.set(number, [`${prefix}${origin}`, slot]);
  }
  const nested = new Map();
  for (const node of maps(view.get("nodes")).filter((one) => typeof one.get("type") === "string").slice(0, MAX_NODES)) {
    if (MUTED.includes(node.get("mode")) || graph.size > MAX_NODES) continue;
    const key = `${prefix}${node.get("id")}`;
    const inputs = nodeInputs(node, origins);
    if (known.has(node.get("type")) && depth < MAX_NESTING) {
      known.expanded = (known.expanded ?? 0) + 1;
      if (known.expanded > MAX_NODES) continue; // guards against endless nesting
      const innerInputs = new Map([...inputs.values()].map((value, i) => [i, value]).filter(([, value]) => Array.isArray(value)));
      nested.set(key, expand(known.get(node.get("type")), `${key}:`, known, graph, innerInputs, depth + 1));
    } else graph.set(key, { kind: node.get("type"), inputs });
  }
  redirectLinks(graph, nested, prefix);
  const outputs = lines.filter(([number, , , target]) => exit !== undefined && target === exit && origins.has(number));
  return new Map(outputs.map(([number, , , , slot]) => [slot, resolveOrigin(origins.get(number), nested)]));
}

/** A node's inputs: links, widgets by name, and for well-known nodes the widget values that are used. */
function nodeInputs(node, origins) {
  const inputs = new Map();
  for (const slot of maps(node.get("inputs"))) {
    inputs.set(String(slot.get("name")), isPlain(slot.get("link")) ? (origins.get(slot.get("link")) ?? null) : null);
  }
  const set = (name, value) => Array.isArray(inputs.get(name)) || inputs.set(name, value);
  const widgets = node.get("widgets_values");
  const kind = node.get("type").toLowerCase();
  if (widgets instanceof Map) widgets.forEach((value, name) => set(name, value));
  else if (Array.isArray(widgets)) {
    if (kind.includes("empty") && kind.includes("latent") && widgets.length >= 2) {
      set("width", widgets[0]);
      set("height", widgets[1]);
    } else if (kind.includes("cliptextencode") && widgets.length) set("text", widgets[0]);
  }
  return inputs;
}

/** Redirect links from subgraphs to the inner nodes that produce their outputs. */
function redirectLinks(graph, nested, prefix) {
  if (!nested.size) return;
  for (const [key, { inputs }] of graph) {
    if (!key.startsWith(prefix)) continue;
    for (const [name, value] of inputs) if (Array.isArray(value) && value.length === 2) inputs.set(name, resolveOrigin(value, nested));
  }
}

function resolveOrigin(origin, nested) {
  for (let i = 0; i < MAX_NESTING; i++) {
    const inside = nested.get(String(origin[0]))?.get(origin[1]);
    if (!inside) break;
    origin = inside;
  }
  return origin;
}

/** [number, from node, from slot, to node, to slot] of a link in either of its two notations; else null. */
function link(written) {
  if (Array.isArray(written)) return written.length >= 5 && written.slice(0, 5).every(isPlain) ? written.slice(0, 5) : null;
  if (!(written instanceof Map)) return null;
  const fields = ["id", "origin_id", "origin_slot", "target_id", "target_slot"].map((key) => written.get(key));
  return fields.every(isPlain) ? fields : null;
}

/** Ids of `from` and of all nodes upstream through inputs accepted by `follows`, nearest first. */
export function walkBack(graph, from, follows) {
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
