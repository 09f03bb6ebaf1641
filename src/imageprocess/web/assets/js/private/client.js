// Page-side interface of private mode: runs the analysis in a worker, one call at a time. A picture that takes too long
// or crashes the worker costs a new worker and nothing else.

import { removeCached } from "./download-cache.js";

const TIMEOUT_MS = 120_000;
const WORKER = new URL("worker.js", import.meta.url);

let worker = null;
let calls = new Map(); // id -> {resolve, reject, report}
let lastId = 0;

function start() {
  worker = new Worker(WORKER, { type: "module" });
  worker.addEventListener("message", ({ data: { id, result, error, loaded, total } }) => {
    const call = calls.get(id);
    if (!call) return;
    if (loaded !== undefined) return void call.report?.(loaded, total);
    calls.delete(id);
    if (error === undefined) call.resolve(result);
    else call.reject(new Error(error));
  });
  worker.addEventListener("error", (event) => stop(new Error(event.message || "the worker crashed")));
}

function stop(error) {
  worker?.terminate();
  worker = null;
  const pending = calls;
  calls = new Map();
  pending.forEach(({ reject }) => reject(error));
}

/** @param {string} call name of a function in worker.js @param {object} args @param {(loaded: number, total: number) => void} [report] */
function request(call, args = {}, report = undefined) {
  if (!worker) start();
  const id = ++lastId;
  return new Promise((resolve, reject) => {
    calls.set(id, { resolve, reject, report });
    worker.postMessage({ id, call, ...args });
  });
}

const SMALL_MODEL = { folder: "model/" };
let loading = null; // {folder, promise} of the model in use

/**
 * Download and start a model, once; only one is in memory at a time.
 * @param {(loaded: number, total: number) => void} [report] progress in bytes
 * @param {{folder: string, site?: string | URL}} [model] as for Model.load
 * @returns {Promise<{spec: any, faithful: boolean}>} `faithful`: the canvas returns the pixels that were drawn
 */
export function load(report, model = SMALL_MODEL) {
  if (loading && loading.folder !== model.folder) terminate();
  if (!loading) {
    const current = (loading = { folder: model.folder, promise: null });
    current.promise = request("load", model, report).catch((error) => {
      if (loading === current) loading = null;
      throw error;
    });
  }
  return loading.promise;
}

/** Abort pending calls and end the worker, freeing its memory; the next call starts a new one. */
export function terminate() {
  stop(new DOMException("", "AbortError"));
  loading = null;
}

/** Remove the file downloaded from `url` from memory and from the browser's cache. */
export async function removeDownload(url) {
  terminate();
  await removeCached(url);
}

/**
 * Analyse one file.
 * @returns {Promise<{record: any, readableByService?: boolean}>} `readableByService`: the service may read this format
 */
export async function detect(file, { mode, signal, model = SMALL_MODEL, credentials = false }) {
  await load(undefined, model);
  signal?.throwIfAborted();
  const response = request("detect", { file, mode, ...model, credentials });
  const timeoutOrAbort = new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new DOMException("", "TimeoutError")), TIMEOUT_MS);
    response.then(() => clearTimeout(timer), () => clearTimeout(timer));
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([response, timeoutOrAbort]);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    response.catch(() => {});
    const code = error.name === "TimeoutError" ? "timeout" : "crashed";
    if (code === "timeout" || !worker) {
      stop(error);
      loading = null;
    }
    return { record: { schema: 1, source: file.name, status: "error", error: { code, message: `${file.name}: ${error.message || code}` } } };
  }
}

/** SHA-256 of a file's decoded pixels. */
export const pixelHash = (file) => request("pixels", { file });

/** A file's texts and manifests, or {error}; needs no model. */
export const inspect = (file) => request("inspect", { file });

/** Download the C2PA library if needed and verify a file's Content Credentials: [evidence]. */
export const checkCredentials = (file, report) => request("credentials", { file }, report);

/** Feature maps of each block of the illustrated network for `file`. `folder`: "model/" or "network/". */
export const features = (file, folder) => request("features", { file, folder });
