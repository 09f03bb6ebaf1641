// Who looks at a picture: the network in this browser, or the service. Both give the same record.

import * as here from "./private/client.js";
import { ServiceError, detect, model } from "./service.js";
import { storage } from "./storage.js";
import { bytes } from "./texts.js";

/** A record of a file that could not be analysed. */
const failed = (file, code, message) => ({ schema: 1, source: file.name, status: "error", error: { code, message } });

/** False for one that changed since it was chosen, and for a folder. */
const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

/** The browser's own. */
export const browser = {
  key: null,
  which: undefined, // the model, where it is not the quick one
  credentials: storage?.getItem("credentials") === "on", // signatures are checked here, where what checks them was downloaded
  limit: () => "200 MB",
  load(report) {
    return here.load(report, this.which);
  },
  /** -> {record, unreadable: the format that a browser cannot read, or undefined} */
  async check(file, { mode, signal }) {
    const { record, server } = await here.detect(file, { mode, signal, which: this.which, credentials: this.credentials });
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

  /** Throws a ServiceError that ends the run. `pause(seconds)`: the service asks to wait so long. */
  async check(file, { mode, signal, pause = (_seconds) => {} }) {
    const largest = this.facts?.service.limits.max_body_bytes ?? Infinity;
    if (file.size > largest) return { record: failed(file, "too_large", `${file.name}: more than ${this.limit()}`) };
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
        // A request whose body cannot be read fails like one that reaches nobody.
        if (error.code === "network" && !(await isReadable(file))) return { record: failed(file, "not_found", `${file.name}: cannot be read`) };
        if (ENDS_THE_RUN.has(error.code)) throw error;
        return { record: failed(file, error.code, error.message) };
      }
    }
  },
};
