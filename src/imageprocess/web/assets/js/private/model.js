// The shipped network in the browser: ONNX Runtime's WebAssembly build, one thread, SIMD (model/session.py and
// model/calibrate.py). Files come from this very host.

import { load } from "./store.js";
import { blockEnds, withOutputs } from "./graph.js";
import { percent } from "./verdict.js";

const ROOT = new URL("../../../", import.meta.url);
const RUNTIME = new URL("assets/ort/", ROOT);

let runtime = null; // ONNX Runtime's module, once

async function startRuntime(report) {
  if (runtime) return runtime;
  const { version } = await json(new URL("runtime.json", RUNTIME));
  const binary = await load(new URL("ort-wasm-simd-threaded.wasm", RUNTIME), version, report);
  const ort = await import(new URL("ort.wasm.bundle.min.mjs", RUNTIME));
  ort.env.wasm.wasmBinary = binary.buffer;
  ort.env.wasm.numThreads = 1; // more would ask for cross-origin isolation
  ort.env.wasm.proxy = false; // this is a worker already
  ort.env.logLevel = "error";
  runtime = ort;
  return ort;
}

async function json(address) {
  const response = await fetch(address, { cache: "no-cache" }); // a new version is seen at once
  if (!response.ok) throw new Error(`${address.pathname}: ${response.status}`);
  return response.json();
}

export class Model {
  /** `folder`: "model/" or "network/". `report(loaded, total)` in bytes, over all files. */
  static async load(folder, report = () => {}) {
    const address = new URL(folder, ROOT);
    const spec = await json(new URL("model.json", address));
    const loaded = [0, 0];
    const totals = [0, 0];
    const progress = (file) => (done, total) => {
      loaded[file] = done;
      totals[file] = total;
      report(loaded[0] + loaded[1], totals[0] + totals[1]);
    };
    const [bytes, ort] = await Promise.all([
      load(new URL("model.onnx", address), spec.files["model.onnx"], progress(0)),
      startRuntime(progress(1)),
    ]);
    return Model.open(ort, spec, bytes);
  }

  static async open(ort, spec, bytes, blocks = []) {
    const model = new Model();
    Object.assign(model, { ort, spec, bytes, blocks });
    model.session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    return model;
  }

  /** The same network, giving its blocks' feature maps as well. */
  withBlocks() {
    const blocks = blockEnds(this.bytes);
    return Model.open(this.ort, this.spec, withOutputs(this.bytes, blocks), blocks);
  }

  /** `pixels`: height x width x 3 bytes -> {logits: [ai, real], heatmap, blocks}. */
  async run(pixels) {
    const { width, height } = this.spec.input;
    const found = await this.session.run({ pixels: new this.ort.Tensor("float32", normalise(pixels, this.spec.input), [1, 3, height, width]) });
    const { heatmap } = found;
    return {
      logits: [...found.logits.data],
      heatmap: heatmap && { width: heatmap.dims[2], height: heatmap.dims[1], values: toDisplay(heatmap.data) },
      blocks: this.blocks.map((name) => ({ maps: found[name].dims[1], side: found[name].dims[2], values: found[name].data })),
    };
  }

  /** Of being an AI's, calibrated. */
  probability([ai, real]) {
    const { temperature, bias } = this.spec.calibration;
    return 1 / (1 + Math.exp(-((ai - real) / temperature + bias)));
  }

  /** What each grade of this model has meant, as records have it (model/spec.py); null where nobody measured. */
  get grades() {
    const { by, ...where } = this.spec.measured?.grades ?? {};
    return by ? Object.fromEntries(Object.entries(by).map(([grade, found]) => [grade, { ...found, ...where }])) : null;
  }

  /** What the network says as evidence. */
  testify(logits, thresholds, image, blank) {
    const { name, training } = this.spec;
    const p = this.probability(logits);
    const [side, smallest] = [Math.max(image.width, image.height), training?.smallest_px ?? 0];
    return {
      kind: "model",
      claim: `The model ${name} puts the chance that an AI made it at ${percent(p)}.`,
      trust: "measured",
      points_to: p >= thresholds.ai ? "ai" : p <= thresholds.real ? "real" : "nothing",
      detail: {
        probability_ai: p,
        logit: logits[0] - logits[1],
        logits,
        thresholds: { ai: thresholds.ai, real: thresholds.real },
        mode_thresholds: this.spec.thresholds,
        ...(side < smallest && { too_small: { side, smallest } }),
        ...(blank && { blank }),
      },
    };
  }
}

/** Height x width x 3 bytes -> 3 x height x width, (x / 255 - mean) / std in single precision, as NumPy does it. */
function normalise(pixels, { width, height, mean, std }) {
  const area = width * height;
  const plane = new Float32Array(3 * area);
  for (let channel = 0; channel < 3; channel++) {
    const scale = Math.fround(1 / Math.fround(255 * Math.fround(std[channel])));
    const shift = Math.fround(Math.fround(mean[channel]) / Math.fround(std[channel]));
    for (let i = 0; i < area; i++) plane[channel * area + i] = Math.fround(pixels[3 * i + channel] * scale) - shift;
  }
  return plane;
}

/** Contributions -> 0 to 1 for the eye: what speaks for a real picture is 0 (model/heatmap.py's to_display). */
function toDisplay(values) {
  const top = values.reduce((most, value) => Math.max(most, value), 0);
  return Array.from(values, (value) => (top > 0 ? Math.round((1000 * Math.max(value, 0)) / top) / 1000 : 0));
}
