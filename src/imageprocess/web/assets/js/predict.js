// The page that checks pictures: files come in, wait as cards, are sent one after another, and become verdicts.

import { Card, failure, headline } from "./card.js";
import { byId, el, icon } from "./dom.js";
import { download, toCsv, toJson } from "./exports.js";
import { ServiceError, detect, model } from "./service.js";
import { bytes, percent, plural, t } from "./texts.js";

const items = []; // {name, file, state: "waiting" | "running" | "done", record, card}
let service = null; // what GET v1/model says; null until it answered
let key = null; // never stored
let running = null; // the AbortController of the run in progress

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

async function start() {
  byId("privacy").textContent = LOOPBACK.has(location.hostname)
    ? t("privacy.local")
    : t("privacy.host", { host: location.host });
  wire();
  render();
  await meetService();
}

/** Learn what the service allows; until it answers, with every run again. */
async function meetService() {
  if (service) return;
  try {
    service = await model();
  } catch (error) {
    byId("limits").textContent = failure(error);
    return;
  }
  byId("limits").textContent = t("limits", { size: limit() });
  if (service.service.key_required) askForKey();
}

const limit = () => (service ? bytes(service.service.limits.max_body_bytes) : "");

function wire() {
  byId("files").addEventListener("change", ({ target }) => {
    add(target.files);
    target.value = ""; // so that the same file can be chosen again
  });
  byId("run").addEventListener("click", run);
  byId("cancel").addEventListener("click", () => running?.abort());
  byId("reset").addEventListener("click", reset);
  byId("csv").addEventListener("click", () => download(`${t("export.file")}.csv`, "text/csv", toCsv(records())));
  byId("json").addEventListener("click", () => download(`${t("export.file")}.json`, "application/json", toJson(records())));
  byId("key-form").addEventListener("submit", takeKey);
  document.addEventListener("paste", ({ clipboardData }) => add(clipboardData.files));
  wireDrop();
}

/** The whole page is the drop zone. */
function wireDrop() {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (on) => document.body.classList.toggle("dropping", on);
  window.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  window.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(false);
    add(event.dataTransfer.files);
  });
}

async function add(files) {
  const added = [...files].map((file) => {
    const item = { name: file.name, file, state: "waiting", record: null };
    item.card = new Card(item, { onremove: () => remove(item), limit: limit() });
    return item;
  });
  if (!added.length) return;
  items.push(...added);
  byId("cards").append(...added.map((item) => item.card.element));
  render();
  byId("run").focus({ preventScroll: true });
  for (const item of added) await item.card.preview(); // one after another: each is decoded whole
}

function remove(item) {
  items.splice(items.indexOf(item), 1);
  item.card.element.remove();
  render();
  (items.length ? byId("run") : byId("files")).focus();
}

function reset() {
  running?.abort();
  items.length = 0;
  byId("cards").replaceChildren();
  byId("status").textContent = "";
  render();
  byId("files").focus();
}

const records = () => items.map((item) => item.record).filter(Boolean);

/** Check what waits; where nothing does, check all again. */
async function run() {
  if (running) return;
  if (items.every((item) => item.record)) items.forEach((item) => show(item, "waiting", null));
  const queue = items.filter((item) => !item.record);
  const control = (running = new AbortController());
  let done = 0;
  try {
    await meetService();
    for (const item of queue) {
      if (!items.includes(item)) continue; // taken out meanwhile
      Object.assign(byId("progress"), { max: queue.length, value: done });
      tell("progress", { done, total: queue.length });
      show(item, "running", null);
      render();
      show(item, "done", await check(item.file, control.signal));
      done += 1;
    }
    summarise(queue.filter((item) => items.includes(item)));
  } catch (error) {
    items.filter((item) => item.state === "running").forEach((item) => show(item, "waiting", null));
    if (error instanceof ServiceError) problem(error);
    else if (error.name !== "AbortError") throw error;
    else if (items.length) tell("cancelled", { done, total: queue.length });
  } finally {
    running = null;
    render();
  }
}

const tell = (key, values) => (byId("status").textContent = t(key, values));

function show(item, state, record) {
  Object.assign(item, { state, record });
  item.card.update();
}

// What the next file would meet as well.
const ENDS_THE_RUN = new Set(["network", "not_ready", "key_missing", "key_wrong"]);

/** One file's record, failed or not. Throws a ServiceError that ends the run. */
async function check(file, signal) {
  const largest = service?.service.limits.max_body_bytes ?? Infinity;
  if (file.size > largest) return failed(file, "too_large", `${file.name}: more than ${limit()}`);
  const heatmap = service?.outputs.includes("heatmap") ?? false;
  for (;;) {
    try {
      return await detect(file, { mode: byId("mode").value, heatmap, key, signal });
    } catch (error) {
      if (!(error instanceof ServiceError) || ENDS_THE_RUN.has(error.code)) throw error;
      if (error.code !== "busy") return failed(file, error.code, error.message);
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(1, error.retryAfterS)));
      signal.throwIfAborted();
    }
  }
}

const failed = (file, code, message) => ({ schema: 1, source: file.name, status: "error", error: { code, message } });

function problem(error) {
  byId("problem").textContent = failure(error);
  byId("problem").hidden = false;
  if (error.code === "key_missing" || error.code === "key_wrong") askForKey(error.code === "key_wrong");
}

function askForKey(wrong = false) {
  key = null;
  byId("key-form").hidden = false;
  byId("key-wrong").hidden = !wrong;
  byId("key").focus();
}

function takeKey(event) {
  event.preventDefault();
  key = byId("key").value;
  byId("key").value = "";
  byId("key-form").hidden = true;
  byId("problem").hidden = true;
  if (items.length) run();
}

function summarise(queue) {
  const labels = queue.map(({ record }) => record.verdict?.label ?? "failed");
  const count = (label) => labels.filter((found) => found === label).length;
  if (queue.length === 1) tell("finished.one", { name: queue[0].name, verdict: headline(queue[0].record) });
  else {
    tell("finished.other", {
      count: queue.length, ai: count("ai"), real: count("real"), unsure: count("unsure"), failed: count("failed"),
    });
  }
}

/** What the page around the cards shows follows from the items alone. */
function render() {
  const wasFocused = document.activeElement === byId("run") || document.activeElement === byId("cancel");
  const waiting = items.filter((item) => !item.record).length;
  const busy = running !== null;
  document.body.classList.toggle("filled", items.length > 0);
  document.body.classList.toggle("solo", items.length === 1);
  byId("tools").hidden = items.length === 0;
  byId("run").textContent = waiting ? plural("run", waiting) : plural("again", items.length);
  byId("run").hidden = busy;
  byId("run").classList.toggle("plain", !waiting);
  byId("choose").textContent = t(items.length ? "choose.more" : "choose");
  byId("choose").classList.toggle("plain", items.length > 0);
  byId("cancel").hidden = !busy;
  byId("progress").hidden = !busy;
  if (wasFocused) byId(busy ? "cancel" : "run").focus({ preventScroll: true }); // the other one is gone
  if (busy) byId("problem").hidden = true;
  byId("privacy").hidden = items.length > 0 && !waiting;
  byId("results").hidden = records().length === 0;
  byId("rows").replaceChildren(...items.filter((item) => item.record).map(row));
}

function row({ name, record }) {
  const { verdict, image } = record;
  const broken = record.status === "error";
  const estimate = verdict?.decided_by === "model" || verdict?.decided_by === "abstain";
  return el(
    "tr", { "data-label": verdict?.label ?? "error" },
    el("th", { scope: "row" }, el("bdi", {}, name)),
    el("td", { class: "verdict" }, icon(verdict?.label ?? "error"), headline(record)),
    el("td", { class: "number" }, broken || verdict.probability_ai === null ? "–" : percent(verdict.probability_ai, estimate)),
    el("td", {}, broken ? failure(record.error, { limit: limit() }) : t(`decided.${verdict.decided_by}`)),
    el("td", { class: "number" }, broken ? "–" : `${image.width} × ${image.height}`),
  );
}

start();
