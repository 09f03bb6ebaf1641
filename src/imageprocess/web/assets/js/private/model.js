// @ts-nocheck
// Runs a model in the browser with ONNX Runtime Web: WebAssembly with SIMD, and with threads if the page is cross-origin
// isolated (port of model/session.py and model/evidence.py). All files come from the pages' own host.

import { sha256 } from "./sha256.js";
import { download, downloadInParts, removeCached } from "./download-cache.js";
import { blockOutputs, withOutputs } from "./onnx-outputs.js";
import { percent } from "./verdict.js";

const ROOT = new URL("../../../", import.meta.url);
const RUNTIME = new URL("assets/ort/", ROOT);
const MAX_THREADS = 4; // the processors of a phone are not all equally fast, and the slowest one delays the others

let runtime = null; // ONNX Runtime's module, once

async function startRuntime(report) {
  if (runtime) return runtime;
  const { version } = await json(new URL("runtime.json", RUNTIME));
  const binary = await download(new URL("ort-wasm-simd-threaded.wasm", RUNTIME), version, report);
  const ort = await import(new URL("ort.wasm.bundle.min.mjs", RUNTIME));
  ort.env.wasm.wasmBinary = binary.buffer;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MAX_THREADS) : 1;
  ort.env.wasm.proxy = false; // this is a worker already
  ort.env.logLevel = "error";
  runtime = ort;
  return ort;
}

async function json(address) {
  const response = await fetch(address, { cache: "no-cache" }); // so that a new version is used at once
  if (!response.ok) throw new Error(`${address.pathname}: ${response.status}`);
  return response.json();
}

/** The bytes of model.onnx, checked against the hash in model.json. `inParts`: an interrupted download can be resumed. */
async function fetchNetwork(address, hash, inParts, report) {
  const bytes = await (inParts ? downloadInParts : download)(address, hash, report);
  if ((await sha256(bytes)) === hash) return bytes;
  await removeCached(address);
  throw new Error(`${address}: the SHA-256 differs from the one in model.json`);
}

export class Model {
  /**
   * @param {string} folder "model/", "network/" or "thorough/"
   * @param {(loaded: number, total: number) => void} report progress in bytes, over all files
   * @param {string | URL} site base address of the model file, if not beside these pages
   */
  static async load(folder, report = () => {}, site = ROOT) {
    const spec = await json(new URL("model.json", new URL(folder, ROOT)));
    const network = new URL("model.onnx", new URL(folder, site));
    const loaded = [0, 0];
    const totals = [0, 0];
    const progress = (file) => (done, total) => {
      loaded[file] = done;
      totals[file] = total;
      report(loaded[0] + loaded[1], totals[0] + totals[1]);
    };
    const [bytes, ort] = await Promise.all([
      fetchNetwork(network, spec.files["model.onnx"], folder === "thorough/", progress(0)),
      startRuntime(progress(1)),
    ]);
    return Model.open(ort, spec, bytes);
  }

  static async open(ort, spec, bytes, blocks = []) {
    const model = new Model();
    // Only the illustrated network is opened a second time; large models are not kept twice.
    Object.assign(model, { ort, spec, blocks, bytes: spec.views ? null : bytes });
    model.session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    return model;
  }

  /** The same model with the feature maps of its blocks as additional outputs. */
  withBlocks() {
    const blocks = blockOutputs(this.bytes);
    return Model.open(this.ort, this.spec, withOutputs(this.bytes, blocks), blocks);
  }

  /** `pixels`: views x height x width x 3 bytes -> {logits: [ai, real], heatmap, blocks}. */
  async run(pixels) {
    const { input, views } = this.spec;
    const { width, height } = input;
    const count = pixels.length / (3 * width * height);
    const shape = views ? [1, count, 3, height, width] : [1, 3, height, width];
    const outputs = await this.session.run({ pixels: new this.ort.Tensor("float32", normalise(pixels, input), shape) });
    return {
      logits: [...outputs.logits.data],
      heatmap: outputs.heatmap && wholeImageHeatmap(outputs.heatmap),
      blocks: this.blocks.map((name) => ({ maps: outputs[name].dims[1], side: outputs[name].dims[2], values: outputs[name].data })),
    };
  }

  /** Calibrated probability that the picture was made by AI. */
  probability([ai, real]) {
    const { temperature, bias } = this.spec.calibration;
    return 1 / (1 + Math.exp(-((ai - real) / temperature + bias)));
  }

  /** Measured precision of each grade of this model (model/spec.py), as records contain it; null if not measured. */
  get grades() {
    const { by, ...where } = this.spec.measured?.grades ?? {};
    return by ? Object.fromEntries(Object.entries(by).map(([grade, measured]) => [grade, { ...measured, ...where }])) : null;
  }

  /** The model's output as an item of evidence. */
  evidence(logits, thresholds, image, blank) {
    const { name, training } = this.spec;
    const p = this.probability(logits);
    const [side, smallest] = [Math.max(image.width, image.height), training?.smallest_px ?? 0];
    return {
      kind: "model",
      claim: `According to the model ${name}, the chance that the picture is AI-made is ${percent(p)}.`,
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

/** Views x height x width x 3 bytes -> views x 3 x height x width, (x / 255 - mean) / std in single precision, as NumPy does it. */
function normalise(pixels, { width, height, mean, std }) {
  const area = width * height;
  const planes = new Float32Array(pixels.length);
  for (let channel = 0; channel < 3; channel++) {
    const scale = Math.fround(1 / Math.fround(255 * Math.fround(std[channel])));
    const shift = Math.fround(Math.fround(mean[channel]) / Math.fround(std[channel]));
    for (let view = 0; view < pixels.length; view += 3 * area) {
      for (let i = 0; i < area; i++) planes[view + channel * area + i] = Math.fround(pixels[view + 3 * i + channel] * scale) - shift;
    }
  }
  return planes;
}

/** The heat map of the first view, the whole picture. */
function wholeImageHeatmap({ dims, data }) {
  const [height, width] = dims.slice(-2);
  return { width, height, values: toDisplay(data.subarray(0, width * height)) };
}

/** Scales contributions to 0..1 for display; contributions towards "real" become 0 (to_display in model/heatmap.py). */
function toDisplay(values) {
  const maximum = values.reduce((most, value) => Math.max(most, value), 0);
  return Array.from(values, (value) => (maximum > 0 ? Math.round((1000 * Math.max(value, 0)) / maximum) / 1000 : 0));
}
