// The browser's metadata readers in Node, for tests: reads lines of base64, writes lines of JSON.
//
// {texts, manifests, evidence, ms}, {format: null} if the file is no image, or {error} after an exception.

import { readFile as load } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PRIVATE = new URL("../src/imageprocess/web/assets/js/private/", import.meta.url);
const TABLE = new URL("../src/imageprocess/provenance/tools.json", import.meta.url);

// Node's fetch reads no files.
globalThis.fetch = async () => new Response(await load(fileURLToPath(TABLE)));

const module = (name) => import(new URL(name, PRIVATE).href);
const [{ readRecords }, { inspection }, { parseMetadata, readProvenance }, { size, sniff }, { loadTable }, { tiffFacts }] =
  await Promise.all(
    ["containers.js", "inspection.js", "provenance.js", "sniff.js", "tools-table.js", "tiff.js"].map(module),
  );
await loadTable();

async function read(data) {
  const format = sniff(data);
  if (!format) return { format };
  const began = process.cpuUsage();
  const records = await readRecords(data, format);
  const metadata = parseMetadata(records);
  const stated = (format === "TIFF" ? tiffFacts(data) : null) ?? size(data, format) ?? { width: 0, height: 0 };
  const evidence = readProvenance(metadata, stated);
  const details = inspection(metadata);
  const { user, system } = process.cpuUsage(began);
  return { format, ...details, evidence, ms: (user + system) / 1000 };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await read(new Uint8Array(Buffer.from(line, "base64"))).catch((error) => ({ error: String(error?.stack ?? error) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
