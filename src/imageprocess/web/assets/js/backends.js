// The two backends that check pictures: the model in this browser, or the service. Both return the same records.

import * as worker from "./private/client.js";
import { ServiceError, detect, fetchModelInfo } from "./service.js";
import { storage } from "./storage.js";
import { bytes } from "./i18n.js";

/** The record of a file that could not be analysed. */
const errorRecord = (file, code, message) => ({ schema: 1, source: file.name, status: "error", error: { code, message } });

/** False for a folder, and for a file that changed since it was chosen. */
const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

/** Private mode: the model runs in this browser. */
export const browser = {
  key: null,
  model: undefined, // default: the small model
  credentials: storage?.getItem("credentials") === "on", // verify signatures, if the library was downloaded
  limit: () => "200 MB",
  load(report) {
    return worker.load(report, this.model);
  },
  /** -> {record, unreadable: format that browsers cannot decode, or undefined} */
  async check(file, { mode, signal }) {
    const { record, readableByService } = await worker.detect(file, { mode, signal, model: this.model, credentials: this.credentials });
    return { record, unreadable: readableByService ? /TIFF|HEIC/.exec(record.error.message)[0] : undefined };
  },
};

// Errors that every other file would get as well.
const FATAL_ERRORS = new Set(["network", "not_ready", "key_missing", "key_wrong"]);

/** The service that serves these pages. */
export const service = {
  facts: null, // response of GET v1/model; null until it arrived
  key: null, // never stored

  limit() {
    return this.facts ? bytes(this.facts.service.limits.max_body_bytes) : "";
  },

  /** Fetch the service's limits, once. */
  async load() {
    this.facts ??= await fetchModelInfo();
    return this.facts;
  },

  /** Throws a ServiceError that concerns all files. `pause(seconds)` is called when the service asks to wait. */
  async check(file, { mode, signal, pause = (_seconds) => {} }) {
    const largest = this.facts?.service.limits.max_body_bytes ?? Infinity;
    if (file.size > largest) return { record: errorRecord(file, "too_large", `${file.name}: more than ${this.limit()}`) };
    const heatmap = this.facts?.outputs.includes("heatmap") ?? false;
    for (;;) {
      try {
        return { record: await detect(file, { mode, heatmap, key: this.key, signal }) };
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        if (error.retryAfterS > 0) {
          pause(error.retryAfterS);
          await new Promise((resolve) => setTimeout(resolve, 1000 * error.retryAfterS));
          signal.throwIfAborted();
          continue;
        }
        // A request whose body cannot be read fails like an unreachable service.
        if (error.code === "network" && !(await isReadable(file))) return { record: errorRecord(file, "not_found", `${file.name}: cannot be read`) };
        if (FATAL_ERRORS.has(error.code)) throw error;
        return { record: errorRecord(file, error.code, error.message) };
      }
    }
  },
};
