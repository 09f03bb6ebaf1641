// Private mode from the page's side: a worker that looks at pictures inside the browser. One at a time; a picture that
// takes too long, or breaks the worker, costs a new worker and nothing else.

import { forget } from "./store.js";

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
  worker.addEventListener("error", (event) => stop(new Error(event.message || "the worker broke")));
}

function stop(error) {
  worker?.terminate();
  worker = null;
  const broken = calls;
  calls = new Map();
  broken.forEach(({ reject }) => reject(error));
}

function ask(call, given = {}, report = undefined) {
  if (!worker) start();
  const id = ++lastId;
  return new Promise((resolve, reject) => {
    calls.set(id, { resolve, reject, report });
    worker.postMessage({ id, call, ...given });
  });
}

const QUICK = { folder: "model/" };
let ready = null; // {folder, answer}: the model in use

/**
 * Fetch and start a network: {spec, faithful}. `report(loaded, total)` in bytes. Once, however often asked. `which`:
 * {folder, site} of model.js. One is in memory at a time.
 */
export function load(report, which = QUICK) {
  if (ready && ready.folder !== which.folder) drop();
  if (!ready) {
    const mine = (ready = { folder: which.folder, answer: null });
    mine.answer = ask("load", which, report).catch((error) => {
      if (ready === mine) ready = null;
      throw error;
    });
  }
  return ready.answer;
}

/** End what is running, and give back its memory; the next question starts anew. */
export function drop() {
  stop(new DOMException("", "AbortError"));
  ready = null;
}

/** Drop the downloaded network at `address`, in memory and in the browser's cache. */
export async function remove(address) {
  drop();
  await forget(address);
}

/** One file's {record, server}; `server`: the service may be able to read what a browser cannot. */
export async function detect(file, { mode, signal, which = QUICK, credentials = false }) {
  await load(undefined, which);
  signal?.throwIfAborted();
  const answer = ask("detect", { file, mode, ...which, credentials });
  const over = new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new DOMException("", "TimeoutError")), TIMEOUT_MS);
    answer.then(() => clearTimeout(timer), () => clearTimeout(timer));
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([answer, over]);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    answer.catch(() => {});
    const code = error.name === "TimeoutError" ? "timeout" : "crashed";
    if (code === "timeout" || !worker) {
      stop(error);
      ready = null;
    }
    return { record: { schema: 1, source: file.name, status: "error", error: { code, message: `${file.name}: ${error.message || code}` } } };
  }
}

/** SHA-256 of a file's pixels. */
export const pixelHash = (file) => ask("pixels", { file });

/** All that a file says of itself, or {error}; no network is needed for it. */
export const inspect = (file) => ask("inspect", { file });

/** Download what checks signatures, and check a file's Content Credentials: [evidence]. */
export const checkCredentials = (file, report) => ask("credentials", { file }, report);

/** What the blocks of the drawn network see in `file`. `folder`: "model/" or "network/". */
export const features = (file, folder) => ask("features", { file, folder });
