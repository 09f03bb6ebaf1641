// Who looks at a picture: the network in this browser, or the service. Both give the same record.

import * as here from "./private/client.js";
import { ServiceError, detect, model } from "./service.js";
import { bytes } from "./texts.js";

/** A record of a file that could not be analysed. */
const failed = (file, code, message) => ({ schema: 1, source: file.name, status: "error", error: { code, message } });

/** The browser's own. */
export const browser = {
  key: null,
  limit: () => "200 MB",
  load: here.load,
  /** -> {record, unreadable: the format that a browser cannot read, or undefined} */
  async check(file, { mode, signal }) {
    const { record, server } = await here.detect(file, { mode, signal });
    return { record, unreadable: server ? /TIFF|HEIC/.exec(record.error.message)[0] : undefined };
  },
};

// What the next file would meet as well.
const ENDS_THE_RUN = new Set(["network", "not_ready", "key_missing", "key_wrong"]);

/** The service that these pages come from. */
export const service = {
  facts: null, // what GET v1/model says; null until it answered
  key: null, // never stored

  limit() {
    return this.facts ? bytes(this.facts.service.limits.max_body_bytes) : "";
  },

  /** Learn what it allows; until it answers, with every run again. */
  async load() {
    this.facts ??= await model();
    return this.facts;
  },

  /** Throws a ServiceError that ends the run. */
  async check(file, { mode, signal }) {
    const largest = this.facts?.service.limits.max_body_bytes ?? Infinity;
    if (file.size > largest) return { record: failed(file, "too_large", `${file.name}: more than ${this.limit()}`) };
    const heatmap = this.facts?.outputs.includes("heatmap") ?? false;
    for (;;) {
      try {
        return { record: await detect(file, { mode, heatmap, key: this.key, signal }) };
      } catch (error) {
        if (!(error instanceof ServiceError) || ENDS_THE_RUN.has(error.code)) throw error;
        if (error.code !== "busy") return { record: failed(file, error.code, error.message) };
        await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(1, error.retryAfterS)));
        signal.throwIfAborted();
      }
    }
  },
};
