// Verifies Content Credentials in the browser with the C2PA project's library in WebAssembly. It is downloaded once, on
// request, from the pages' own host, and configured to make no network requests.

import { Reader } from "./bytes.js";
import { download, isCached } from "./download-cache.js";

const ROOT = new URL("../../../", import.meta.url);
const FOLDER = new URL("assets/c2pa/", ROOT);
const BINARY = new URL("c2pa_bg.wasm", FOLDER);
const MIME = {
  JPEG: "image/jpeg", PNG: "image/png", WEBP: "image/webp", AVIF: "image/avif", HEIC: "image/heic", TIFF: "image/tiff",
  GIF: "image/gif",
};
// The first two switch off the library's network requests: remote manifests, and certificate revocation.
const VERIFY = { remote_manifest_fetch: false, ocsp_fetch: false, verify_trust: true };
const MAX_DEPTH = 16; // nested boxes; five are usual
const MAX_BOXES = 50_000;
const LISTS = { conformance: "trust/conformance.pem", interim: "trust/interim.pem" };

let starting = null; // the promise of {Library, lists}

/**
 * Whether the library is ready. @param {boolean} canDownload download it if it is not cached
 * @param {(loaded: number, total: number) => void} report progress in bytes
 */
export async function isReady(canDownload = false, report = () => {}) {
  if (!starting && !canDownload && !(await isCached(BINARY))) return false;
  starting ??= start(report).catch((error) => {
    starting = null; // so that the next call retries
    throw error;
  });
  await starting;
  return true;
}

async function start(report) {
  const { version } = await (await fetch(new URL("runtime.json", FOLDER), { cache: "no-cache" })).json();
  const [bytes, library, ...lists] = await Promise.all([
    download(BINARY, version, report),
    import(new URL("c2pa.js", FOLDER).href),
    ...Object.values(LISTS).map(trustList),
  ]);
  await library.default({ module_or_path: bytes });
  const [conformance, interim] = lists;
  return { Library: library.WasmReader, lists: { conformance, interim } };
}

/** {pem, count, fetched} or null if the site has none. */
async function trustList(address) {
  const response = await fetch(new URL(address, ROOT), { cache: "no-cache" });
  if (!response.ok) return null;
  const pem = await response.text();
  const fetched = /^# fetched: (.+)$/m.exec(pem)?.[1] ?? null;
  return { pem, count: pem.split("-----BEGIN CERTIFICATE-----").length - 1, fetched };
}

/**
 * The library's report on the file's manifests, checked against the conformance trust list and, if the signer is not on
 * it, also the interim list. -> {report, list, isLegacy}; {unreadable: why}; or {refused: why} if the store is not passed
 * to the library.
 */
export async function verify(data, format, store) {
  if (!isSane(store)) return { refused: "its boxes are too many or nested too deeply" };
  const { Library, lists } = await starting;
  try {
    const report = await read(Library, data, format, lists.conformance?.pem);
    const legacy = lists.interim && !hasTrustedSigner(report) ? await read(Library, data, format, lists.interim.pem + (lists.conformance?.pem ?? "")) : null;
    if (legacy && hasTrustedSigner(legacy)) return { report: legacy, list: lists.interim, isLegacy: true };
    return { report, list: lists.conformance, isLegacy: false };
  } catch (error) {
    return { unreadable: String(error?.message ?? error) };
  }
}

async function read(Library, data, format, pem) {
  const settings = { version: 1, verify: VERIFY, ...(pem && { trust: { trust_anchors: pem } }) };
  const reader = await Library.fromBytes(MIME[format], data, JSON.stringify(settings));
  try {
    return JSON.parse(reader.json());
  } finally {
    reader.free();
  }
}

const hasTrustedSigner = ({ validation_results: results }) =>
  (results?.activeManifest?.success ?? []).some(({ code }) => code === "signingCredential.trusted");

/** Whether the JUMBF boxes lie within their parents and within the limits on depth and number (port of c2pa/jumbf.py). */
function isSane(store) {
  const reader = new Reader(store);
  const stack = [[0, store.length]]; // [next offset, end of the enclosing box]
  for (let boxes = 0; stack.length; ) {
    const [start, end] = stack.pop();
    if (start + 8 > end) continue;
    let [size, header] = [reader.u32(start), 8];
    if (size === 1) {
      if (start + 16 > end) return false;
      [size, header] = [reader.u64(start + 8), 16];
    } else if (size === 0) size = end - start;
    boxes += 1;
    if (size < header || start + size > end || boxes > MAX_BOXES) return false;
    stack.push([start + size, end]);
    if (reader.ascii(start + 4, 4) === "jumb") stack.push([start + header, start + size]);
    if (stack.length > MAX_DEPTH) return false;
  }
  return true;
}
