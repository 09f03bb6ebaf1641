// @ts-nocheck
// Private mode's worker: a file comes in, a record goes out, and nothing leaves the browser (detector.py's street).

import { readRecords } from "./containers.js";
import { sha256 } from "./digest.js";
import { decode, DecodeError, isFaithful, rgb } from "./decode.js";
import { inspection } from "./inspection.js";
import { Model } from "./model.js";
import { readFile, readProvenance } from "./provenance.js";
import { isC2paStore } from "./jpegrecords.js";
import { frames, MAX_PIXELS, MAX_REDUCED_PIXELS, size, sniff } from "./sniff.js";
import { loadTable } from "./table.js";
import { tiffFacts } from "./tiff.js";
import { decide } from "./verdict.js";
import { isReady, verify } from "./verifier.js";
import { readWatermarks } from "./watermark.js";

const MAX_BYTES = 200_000_000; // decode/limits.py's, as MAX_PIXELS
const ROOT = new URL("../../../", import.meta.url);

const models = new Map(); // folder -> the promise of its model
let table = null; // the promise of verdict.json

/** An input that cannot be analysed: its record says why. `server`: the service may be able to. */
class InputError extends Error {
  constructor(code, message, server = false) {
    super(message);
    Object.assign(this, { code, server });
  }
}

function model(folder, report, site) {
  if (!models.has(folder)) {
    models.set(folder, Model.load(folder, report, site));
    models.get(folder).catch(() => models.delete(folder)); // so that another try is a new one
  }
  return models.get(folder);
}

const calls = {
  async load({ folder, site, report }) {
    table ??= fetch(new URL("verdict.json", ROOT), { cache: "no-cache" }).then((response) => response.json());
    const [{ spec }, faithful] = await Promise.all([model(folder, report, site), isFaithful(), table, loadTable()]);
    return { spec, faithful };
  },

  /** `credentials`: signatures are checked, where what checks them was downloaded. */
  async detect({ file, mode, folder, site, credentials }) {
    const began = performance.now();
    try {
      return await examine(file, mode, await model(folder, undefined, site), began, credentials);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { code, message, server } = error;
      return { record: { schema: 1, source: file.name, status: "error", error: { code, message } }, server };
    }
  },

  /** SHA-256 of the decoded pixels, as report/page.py defines it. */
  async pixels({ file }) {
    const { upright, format, orientation } = checked(file, await opened(file));
    return sha256(await rgb(upright, format, orientation));
  },

  /** All that the file says of itself; {error} where it is none that is read here. */
  async inspect({ file }) {
    try {
      return inspection((await opened(file)).told);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return { error: error.message };
    }
  },

  /** Fetch what checks signatures, and check this file's: its items of evidence. */
  async credentials({ file, report }) {
    await isReady(true, report);
    const input = await opened(file);
    const verified = await checkedCredentials(input, true);
    return readProvenance(input.told, { width: 0, height: 0 }, verified).filter(({ kind }) => kind === "c2pa");
  },

  /** What each block of the drawn network sees in `file`: its feature maps, and the answer. */
  async features({ file, folder }) {
    const plain = await model(folder);
    plain.drawn ??= plain.withBlocks();
    const network = await plain.drawn;
    const { upright, format, orientation, reduced } = checked(file, await opened(file));
    const { pixels } = await decode(upright, format, orientation, network.spec, reduced);
    const { logits, blocks } = await network.run(pixels);
    return { blocks, probability: network.probability(logits), spec: network.spec, pixels };
  },
};

async function examine(file, mode, network, began, credentials) {
  await loadTable();
  const { spec } = network;
  const input = await opened(file);
  const { data, format, orientation, told } = input;
  const verified = await checkedCredentials(input, credentials);
  let image = { format, width: 0, height: 0, frames: frames(data, format), bytes: data.length };
  let evidence;
  let heatmap = null;
  let [note, server, isRead] = ["", false, false]; // isRead: by its records alone
  try {
    const { upright, reduced } = checked(file, input);
    const seen = await decode(upright, format, orientation, spec, reduced).catch((error) => {
      if (!(error instanceof DecodeError)) throw error;
      throw new InputError("corrupt", `${file.name}: the ${format} data does not decode (${error.message})`);
    });
    image = { ...image, width: seen.width, height: seen.height };
    if (reduced) {
      const { width, height } = tiffFacts(data) ?? size(data, format);
      image = { ...image, ...(orientation >= 5 ? { width: height, height: width } : { width, height }) };
      note = ` The picture is very large (${width} x ${height} pixels): it was looked at 2 times smaller.`;
      [seen.mark, seen.hidden] = [null, null]; // no mark outlives a resize
    }
    const output = await network.run(seen.pixels);
    heatmap = output.heatmap;
    const fromModel = network.evidence(output.logits, spec.thresholds[mode], image, seen.blank);
    evidence = [...readProvenance(told, image, verified), ...readWatermarks(seen.mark, seen.hidden, image), fromModel];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // Where the pixels cannot be had, the file's own records are told, if they say how it was made.
    image = { ...image, ...(size(data, format) ?? { width: told.exif.width || 0, height: told.exif.height || 0 }) };
    evidence = readProvenance(told, image, verified);
    if (!image.width || !evidence.some((item) => item.kind === "c2pa" || ["ai", "ai_edited"].includes(item.points_to))) throw error;
    note = ` The pixels were not looked at: ${error.message.slice(file.name.length + 2)}.`;
    [server, isRead] = [error.server, true];
  }
  const verdict = decide(evidence, spec.thresholds[mode], await table, network.grades);
  const record = {
    schema: 1,
    source: file.name,
    status: "ok",
    sha256: await sha256(data),
    image,
    verdict: { ...verdict, reason: verdict.reason + note },
    evidence,
    model: isRead ? null : { name: spec.name, version: spec.version, sha256: spec.files["model.onnx"] },
    elapsed_ms: Math.round(1000 * (performance.now() - began)) / 1000,
    ...(heatmap && { heatmap }),
  };
  return { record, server };
}

/** What the library says of the file's credentials, or null where they are not to be checked, or it is not here. */
async function checkedCredentials({ data, format, told }, wanted) {
  if (!wanted || !told.store || !isC2paStore(told.store) || !(await isReady())) return null;
  return verify(data, format, told.store);
}

/** The file's bytes, its format, its turn and its records. Throws an InputError. */
async function opened(file) {
  const { name } = file;
  if (file.size > MAX_BYTES) throw new InputError("too_large", `${name}: ${count(file.size)} bytes; the limit is ${count(MAX_BYTES)}`);
  const data = new Uint8Array(await file.arrayBuffer().catch(() => {
    throw new InputError("not_found", `${name}: cannot be read`); // changed since it was chosen, or a folder
  }));
  if (!data.length) throw new InputError("corrupt", `${name}: the file is empty`);
  const format = sniff(data);
  if (!format) throw new InputError("unsupported_format", `${name}: not an image that is read here (JPEG, PNG, WebP, AVIF, GIF, BMP)`);
  await loadTable();
  const records = await readRecords(data, format);
  const told = readFile(records);
  return { data, format, orientation: told.exif.orientation, turn: told.exif.turn, told };
}

/** `input` with the bytes that may be decoded. Throws an InputError where a browser cannot, or must not. */
function checked({ name }, input) {
  const { data, format } = input;
  const tiff = format === "TIFF" ? tiffFacts(data) : null;
  if (format === "HEIC" || (format === "TIFF" && !tiff?.isRead)) {
    const kind = tiff?.isRaw ? "TIFF files that are a camera's raw (DNG)" : `${format} files${tiff ? " of this kind" : ""}`;
    throw new InputError("unsupported_format", `${name}: browsers do not read ${kind}; the service does`, true);
  }
  const stated = tiff ?? size(data, format);
  const pixels = stated ? stated.width * stated.height : 0;
  if (pixels > MAX_REDUCED_PIXELS) {
    throw new InputError("too_many_pixels", `${name}: ${stated.width} x ${stated.height} pixels; at most ${count(MAX_REDUCED_PIXELS)} allowed`);
  }
  const half = (side) => Math.ceil(side / 2);
  const reduced = pixels > MAX_PIXELS ? { width: half(stated.width), height: half(stated.height) } : null;
  return { ...input, upright: unturned(data, input.turn), reduced };
}

/**
 * The file without its EXIF turn. Browsers obey it in some formats and not in others, and none can be told not to; so it
 * is taken out, and obeyed here.
 */
function unturned(data, turn) {
  if (!turn) return data;
  const copy = data.slice();
  copy.fill(0, turn.byteOffset - data.byteOffset, turn.byteOffset - data.byteOffset + turn.length);
  return copy;
}

const count = (number) => number.toLocaleString("en");

addEventListener("message", async ({ data: { id, call, ...given } }) => {
  const report = (loaded, total) => postMessage({ id, loaded, total });
  try {
    postMessage({ id, result: await calls[call]({ ...given, report }) });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
});
