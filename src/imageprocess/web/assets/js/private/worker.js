// @ts-nocheck
// Worker of private mode: analyses files in the browser, as detector.py does on the service. Nothing leaves the browser.

import { readRecords } from "./containers.js";
import { sha256 } from "./sha256.js";
import { decode, DecodeError, isFaithful, rgb } from "./decode.js";
import { inspection } from "./inspection.js";
import { Model } from "./model.js";
import { parseMetadata, readProvenance } from "./provenance.js";
import { isC2paStore } from "./jpeg-records.js";
import { frames, MAX_PIXELS, MAX_REDUCED_PIXELS, size, sniff } from "./sniff.js";
import { loadTable } from "./tools-table.js";
import { tiffFacts } from "./tiff.js";
import { decide } from "./verdict.js";
import { isReady, verify } from "./verifier.js";
import { readWatermarks } from "./watermark.js";

const MAX_BYTES = 200_000_000; // as in decode/limits.py
const ROOT = new URL("../../../", import.meta.url);

const models = new Map(); // folder -> promise of its Model
let verdictTable = null; // promise of verdict.json

/** A file that cannot be analysed here. `readableByService`: the service may read its format. */
class InputError extends Error {
  constructor(code, message, readableByService = false) {
    super(message);
    Object.assign(this, { code, readableByService });
  }
}

function getModel(folder, report, site) {
  if (!models.has(folder)) {
    models.set(folder, Model.load(folder, report, site));
    models.get(folder).catch(() => models.delete(folder)); // so that the next call retries
  }
  return models.get(folder);
}

/** What client.js can call. */
const calls = {
  async load({ folder, site, report }) {
    verdictTable ??= fetch(new URL("verdict.json", ROOT), { cache: "no-cache" }).then((response) => response.json());
    const [{ spec }, faithful] = await Promise.all([getModel(folder, report, site), isFaithful(), verdictTable, loadTable()]);
    return { spec, faithful };
  },

  /** -> {record, readableByService}. `credentials`: verify signatures, if the library is downloaded. */
  async detect({ file, mode, folder, site, credentials }) {
    const startedAt = performance.now();
    try {
      return await analyse(file, mode, await getModel(folder, undefined, site), startedAt, credentials);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { code, message, readableByService } = error;
      return { record: { schema: 1, source: file.name, status: "error", error: { code, message } }, readableByService };
    }
  },

  /** SHA-256 of the decoded pixels, as report/page.py defines it. */
  async pixels({ file }) {
    const { upright, format, orientation } = prepareForDecode(file, await openFile(file));
    return sha256(await rgb(upright, format, orientation));
  },

  /** The file's texts and manifests, or {error} for a file that cannot be read. */
  async inspect({ file }) {
    try {
      return inspection((await openFile(file)).metadata);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return { error: error.message };
    }
  },

  /** Download the C2PA library if needed and verify the file's Content Credentials: items of evidence. */
  async credentials({ file, report }) {
    await isReady(true, report);
    const input = await openFile(file);
    const verified = await verifyCredentials(input, true);
    return readProvenance(input.metadata, { width: 0, height: 0 }, verified).filter(({ kind }) => kind === "c2pa");
  },

  /** The illustrated network on `file`: feature maps of each block, and the probability. */
  async features({ file, folder }) {
    const model = await getModel(folder);
    model.drawn ??= model.withBlocks();
    const network = await model.drawn;
    const { upright, format, orientation, reduced } = prepareForDecode(file, await openFile(file));
    const { pixels } = await decode(upright, format, orientation, network.spec, reduced);
    const { logits, blocks } = await network.run(pixels);
    return { blocks, probability: network.probability(logits), spec: network.spec, pixels };
  },
};

async function analyse(file, mode, network, startedAt, credentials) {
  await loadTable();
  const { spec } = network;
  const input = await openFile(file);
  const { data, format, orientation, metadata } = input;
  const verified = await verifyCredentials(input, credentials);
  let image = { format, width: 0, height: 0, frames: frames(data, format), bytes: data.length };
  let evidence;
  let heatmap = null;
  let [note, readableByService, metadataOnly] = ["", false, false];
  try {
    const { upright, reduced } = prepareForDecode(file, input);
    const decoded = await decode(upright, format, orientation, spec, reduced).catch((error) => {
      if (!(error instanceof DecodeError)) throw error;
      throw new InputError("corrupt", `${file.name}: the ${format} data does not decode (${error.message})`);
    });
    image = { ...image, width: decoded.width, height: decoded.height };
    if (reduced) {
      const { width, height } = tiffFacts(data) ?? size(data, format);
      image = { ...image, ...(orientation >= 5 ? { width: height, height: width } : { width, height }) };
      note = ` The picture is very large (${width} x ${height} pixels): it was reduced 2 times for the analysis.`;
      [decoded.mark, decoded.hidden] = [null, null]; // watermarks do not survive resizing
    }
    const output = await network.run(decoded.pixels);
    heatmap = output.heatmap;
    const fromModel = network.evidence(output.logits, spec.thresholds[mode], image, decoded.blank);
    evidence = [...readProvenance(metadata, image, verified), ...readWatermarks(decoded.mark, decoded.hidden, image), fromModel];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // If the pixels cannot be decoded, the verdict is based on the metadata, if it says how the picture was made.
    image = { ...image, ...(size(data, format) ?? { width: metadata.exif.width || 0, height: metadata.exif.height || 0 }) };
    evidence = readProvenance(metadata, image, verified);
    if (!image.width || !evidence.some((item) => item.kind === "c2pa" || ["ai", "ai_edited"].includes(item.points_to))) throw error;
    note = ` The pixels were not analysed: ${error.message.slice(file.name.length + 2)}.`;
    [readableByService, metadataOnly] = [error.readableByService, true];
  }
  const verdict = decide(evidence, spec.thresholds[mode], await verdictTable, network.grades);
  const record = {
    schema: 1,
    source: file.name,
    status: "ok",
    sha256: await sha256(data),
    image,
    verdict: { ...verdict, reason: verdict.reason + note },
    evidence,
    model: metadataOnly ? null : { name: spec.name, version: spec.version, sha256: spec.files["model.onnx"] },
    elapsed_ms: Math.round(1000 * (performance.now() - startedAt)) / 1000,
    ...(heatmap && { heatmap }),
  };
  return { record, readableByService };
}

/** The C2PA library's report, or null if there is nothing to verify, `isEnabled` is false or the library is not downloaded. */
async function verifyCredentials({ data, format, metadata }, isEnabled) {
  if (!isEnabled || !metadata.store || !isC2paStore(metadata.store) || !(await isReady())) return null;
  return verify(data, format, metadata.store);
}

/** Read and sniff a file and parse its metadata. Throws an InputError. */
async function openFile(file) {
  const { name } = file;
  if (file.size > MAX_BYTES) throw new InputError("too_large", `${name}: ${formatCount(file.size)} bytes; the limit is ${formatCount(MAX_BYTES)}`);
  const data = new Uint8Array(await file.arrayBuffer().catch(() => {
    throw new InputError("not_found", `${name}: cannot be read (moved, changed or a folder)`);
  }));
  if (!data.length) throw new InputError("corrupt", `${name}: the file is empty`);
  const format = sniff(data);
  if (!format) throw new InputError("unsupported_format", `${name}: not a supported image format (JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF)`);
  await loadTable();
  const records = await readRecords(data, format);
  const metadata = parseMetadata(records);
  return { data, format, orientation: metadata.exif.orientation, orientationBytes: metadata.exif.orientationBytes, metadata };
}

/** `input` ready for decode(). Throws an InputError for formats that browsers cannot decode and for too many pixels. */
function prepareForDecode({ name }, input) {
  const { data, format } = input;
  const tiff = format === "TIFF" ? tiffFacts(data) : null;
  if (format === "HEIC" || (format === "TIFF" && !tiff?.isSupported)) {
    const kind = tiff?.isRaw ? "raw camera files (DNG, a kind of TIFF)" : tiff ? "this kind of TIFF" : `${format} files`;
    throw new InputError("unsupported_format", `${name}: browsers cannot decode ${kind}; the service can`, true);
  }
  const statedSize = tiff ?? size(data, format);
  const pixels = statedSize ? statedSize.width * statedSize.height : 0;
  if (pixels > MAX_REDUCED_PIXELS) {
    throw new InputError("too_many_pixels", `${name}: ${statedSize.width} x ${statedSize.height} pixels; at most ${formatCount(MAX_REDUCED_PIXELS)} allowed`);
  }
  const half = (side) => Math.ceil(side / 2);
  const reduced = pixels > MAX_PIXELS ? { width: half(statedSize.width), height: half(statedSize.height) } : null;
  return { ...input, upright: clearOrientation(data, input.orientationBytes), reduced };
}

/**
 * The file with its EXIF orientation zeroed: browsers apply it in some formats only, and this cannot be switched off, so
 * decode() applies it instead.
 */
function clearOrientation(data, orientationBytes) {
  if (!orientationBytes) return data;
  const copy = data.slice();
  const start = orientationBytes.byteOffset - data.byteOffset;
  copy.fill(0, start, start + orientationBytes.length);
  return copy;
}

const formatCount = (number) => number.toLocaleString("en");

addEventListener("message", async ({ data: { id, call, ...args } }) => {
  const report = (loaded, total) => postMessage({ id, loaded, total });
  try {
    postMessage({ id, result: await calls[call]({ ...args, report }) });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
});
