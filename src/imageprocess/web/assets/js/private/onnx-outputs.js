// Finds the pooling layers in an ONNX file and adds their tensors to the model's outputs, without a protobuf library.
// Protocol Buffers merge a message that occurs twice, so appending a second, nearly empty graph adds outputs without
// copying the weights.

const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const GRAPH_OUTPUT = 12;
const NODE_OUTPUT = 2;
const NODE_OP = 4;

const text = new TextDecoder();

/** [field number, bytes] of each length-delimited field of a message; other fields are skipped. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag & 7;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const size = varint();
      yield [Math.floor(tag / 8), bytes.subarray(at, at + size)];
      at += size;
    } else throw new Error(`invalid protobuf: wire type ${wire}`);
  }
}

const fieldsOf = (bytes, id) => [...fields(bytes)].filter(([number]) => number === id).map(([, body]) => body);

/** Names of the outputs of MaxPool nodes in graph order: the last tensor of each block. */
export function blockOutputs(model) {
  return fieldsOf(model, MODEL_GRAPH)
    .flatMap((graph) => fieldsOf(graph, GRAPH_NODE))
    .filter((node) => fieldsOf(node, NODE_OP).some((op) => text.decode(op) === "MaxPool"))
    .map((node) => text.decode(fieldsOf(node, NODE_OUTPUT)[0]));
}

/** The model with the tensors `names` added to its outputs. */
export function withOutputs(model, names) {
  const outputs = names.flatMap((name) => message(GRAPH_OUTPUT, message(1, new TextEncoder().encode(name))));
  const graph = message(MODEL_GRAPH, outputs);
  const whole = new Uint8Array(model.length + graph.length);
  whole.set(model);
  whole.set(graph, model.length);
  return whole;
}

const message = (number, body) => [...varintBytes(number * 8 + 2), ...varintBytes(body.length), ...body];

function varintBytes(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return [...bytes, value];
}
