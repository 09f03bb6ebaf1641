// The page for checking pictures: files are added as cards, checked one after another, and get a verdict.

import { countByGrade } from "./verdict-view.js";
import { Card } from "./card.js";
import { byId } from "./dom.js";
import { wireFileInput } from "./file-input.js";
import { ServiceError } from "./service.js";
import { site } from "./site.js";
import { history, wireHistory } from "./storage.js";
import { bytes, number, plural, privacyKey, t } from "./i18n.js";
import { browser, service } from "./backends.js";
import { failure, headline } from "./wording.js";

/** Functions of a card, loaded on demand. */
const cardActions = {
  zoom: async (item) => (await import("./zoom.js")).zoom(item),
  report: async (item) => (await import("./report.js")).openReport(item),
  print: async (item) => (await import("./print.js")).printReport(item),
  inspect: async (item) => (await import("./inspect.js")).openInspection(item, () => backend === browser && recheck()),
  wrong: async (item) => (await import("./feedback.js")).openFeedback(item),
};

const MAX_PICTURES = 200; // at a time

const items = []; // {name, file, state: "waiting" | "running" | "done", record, card, viaService, where, mode, limit, run}
let backend = site.private && !site.service ? browser : service;
let running = null; // the AbortController of the run in progress

async function start() {
  wireFileInput(add, (key) => showProblem(t(key)));
  wireHistory();
  byId("run").addEventListener("click", () => run());
  byId("cancel").addEventListener("click", () => running?.abort());
  byId("reset").addEventListener("click", reset);
  byId("mode").addEventListener("change", recheck);
  byId("csv").addEventListener("click", async () => (await import("./exports.js")).saveCsv(records()));
  byId("json").addEventListener("click", async () => (await import("./exports.js")).saveJson(records()));
  byId("key-form").addEventListener("submit", submitKey);
  byId("where").hidden = !(site.private && site.service);
  byId(backend === browser ? "where-browser" : "where-service").checked = true;
  for (const choice of document.querySelectorAll("[name=where]")) {
    choice.addEventListener("change", () => selectBackend(byId("where-browser").checked ? browser : service));
  }
  render();
  if (site.thorough && site.private) await (await import("./thorough.js")).wireThorough(changeModel);
  const ready = selectBackend(backend);
  if (location.hash) import("./share-target.js").then(({ handleAddressHash }) => handleAddressHash(add, showProblem));
  return ready;
}

const showProblem = (textContent) => Object.assign(byId("problem"), { hidden: false, textContent });

/** Switch to a backend, show where pictures go, and prepare it. Returns whether that succeeded. */
async function selectBackend(selected) {
  backend = selected;
  byId("thorough").hidden = !(site.thorough && site.private && backend === browser);
  byId("privacy").textContent = privacy();
  byId("limits").textContent = "";
  for (const id of ["problem", "loading", "fetched", "noisy"]) byId(id).hidden = true;
  try {
    await prepare();
    return true;
  } catch (error) {
    // An AbortError means that another choice was made meanwhile.
    if (backend === selected && error.name !== "AbortError") byId("limits").textContent = messageOf(error);
    return error.name === "AbortError";
  }
}

/** Check everything again with the newly selected model. */
async function changeModel() {
  running?.abort();
  const ready = await selectBackend(browser);
  if (ready) recheck();
  return ready;
}

function privacy() {
  const sentence = t(privacyKey(backend === browser), { host: location.host });
  return site.private ? sentence : `${sentence} ${t("privacy.unbuilt")}`;
}

async function prepare() {
  if (backend === browser) {
    byId("limits").textContent = t("limits.browser");
    try {
      const { faithful } = await browser.load(showDownload);
      Object.assign(byId("noisy"), { hidden: faithful || backend !== browser, textContent: t("noisy") });
    } finally {
      for (const id of ["loading", "fetched"]) byId(id).hidden = true;
    }
    return;
  }
  const { service: limits } = await service.load();
  if (backend !== service) return; // changed meanwhile
  byId("limits").textContent = t("limits", { formats: limits.formats.join(", "), size: service.limit() });
  if (limits.key_required && service.key === null) askForKey();
}

function showDownload(done, total) {
  byId("loading").hidden = backend !== browser || done >= total;
  byId("loading").textContent = t("loading", { done: bytes(done), total: bytes(total) });
  Object.assign(byId("fetched"), { hidden: byId("loading").hidden, max: total, value: done });
}

const messageOf = (error) => (error instanceof ServiceError ? failure(error) : t("load.failed", { why: error.message }));

async function add(files) {
  const capacity = MAX_PICTURES - items.length;
  const added = [...files].slice(0, Math.max(0, capacity)).map((file) => {
    const item = { name: file.name, file, state: "waiting", record: null };
    item.card = new Card(item, { remove, send: site.service ? send : null, ...cardActions });
    return item;
  });
  const showOmitted = () => {
    byId("problem").textContent = t("too-many", { left: files.length - added.length });
    byId("problem").hidden = files.length === added.length;
  };
  if (!added.length) return showOmitted();
  items.push(...added);
  byId("cards").append(...added.map((item) => item.card.element));
  render();
  byId("run").focus({ preventScroll: true });
  // Previews stay in memory: large ones for a few pictures, small ones for many.
  const maxSide = items.length > 6 ? 400 : 1200;
  const previews = (async () => {
    for (const item of added) await item.card.preview(maxSide); // one at a time: each is decoded at full size
  })();
  if (backend === browser) run(); // nothing is sent, so no confirmation is needed
  showOmitted();
  await previews;
}

function remove(item) {
  items.splice(items.indexOf(item), 1);
  if (!items.length) return reset();
  item.card.element.remove();
  render();
  byId(running ? "cancel" : "run").focus();
}

function reset() {
  running?.abort();
  running = null;
  items.length = 0;
  byId("cards").replaceChildren();
  byId("status").textContent = "";
  byId("problem").hidden = true;
  render();
  byId("files").focus();
}

/** Check again what was checked already, after a setting changed. Pictures not yet sent to the service still wait. */
function recheck() {
  const checkedItems = items.filter((item) => item.record);
  checkedItems.forEach((item) => setState(item, "waiting", null));
  if (checkedItems.length) run(backend === service ? new Set(checkedItems) : null);
}


const records = () => items.map((item) => item.record).filter(Boolean);

/** Send one picture that the browser cannot decode to the service, at the user's request. */
function send(item) {
  item.viaService = true;
  setState(item, "waiting", null);
  run();
}

/** Check all waiting pictures, or all again if none is waiting. @param {Set<any> | null} only restrict to these items */
async function run(only = null) {
  if (running) return;
  if (items.every((item) => item.record)) items.forEach((item) => setState(item, "waiting", null));
  const controller = (running = new AbortController());
  const { signal } = controller;
  const aborted = new Promise((_, reject) => (signal.onabort = () => reject(signal.reason)));
  const remaining = () => items.filter((item) => !item.record && (!only || only.has(item)));
  const checkedItems = () => items.filter(({ record, run }) => record && run === controller);
  const counts = () => ({ done: checkedItems().length, total: checkedItems().length + remaining().length });
  let item;
  byId("problem").hidden = true;
  try {
    render();
    await Promise.race([prepare(), aborted]);
    while ((item = remaining()[0])) {
      const { done, total } = counts();
      Object.assign(byId("progress"), { max: total, value: done });
      setStatus("progress", { done, total });
      setState(item, "running", null);
      const [target, mode] = [item.viaService ? service : backend, byId("mode").value];
      if (item.viaService) await Promise.race([service.load(), aborted]);
      const pause = (seconds) => setStatus("paused", { done, total, seconds: number(seconds) });
      const { record, unreadable } = await Promise.race([target.check(item.file, { mode, signal, pause }), aborted]);
      if (mode !== byId("mode").value) {
        setState(item, "waiting", null); // the setting changed meanwhile
        continue;
      }
      Object.assign(item, { unreadable, mode, run: controller, limit: target.limit(), where: target === browser ? "browser" : "service" });
      setState(item, "done", record);
      showTableSoon();
      const { canvas } = item.card;
      if (byId("history-keep").checked) history().then(({ addToHistory }) => addToHistory(record, canvas));
    }
    await showTable().catch(console.warn); // show the table before announcing the end
    if (running === controller) summarise(checkedItems());
  } catch (error) {
    if (item) setState(item, "waiting", null);
    if (running !== controller) return; // reset meanwhile
    if (error.name === "AbortError") setStatus("cancelled", counts());
    else handleError(error);
  } finally {
    if (running === controller) running = null;
    render();
  }
}

/** Show the table of results; its code, texts and styles are loaded with the first result. */
async function showTable() {
  if (items.some((item) => item.record) || !byId("results").hidden) (await import("./results-table.js")).showTable(items);
}

let tableTimer = null;

/** Like showTable, at most twice a second. */
function showTableSoon() {
  if (tableTimer) return;
  tableTimer = setTimeout(() => {
    tableTimer = null;
    showTable();
  }, 500);
}

function setStatus(key, values) {
  byId("status").textContent = t(key, values);
  byId("status").dataset.key = key;
}

function setState(item, state, record) {
  Object.assign(item, { state, record });
  item.card.update();
}

function handleError(error) {
  showProblem(messageOf(error));
  if (error.code === "key_missing" || error.code === "key_wrong") askForKey(error.code === "key_wrong");
}

function askForKey(wrong = false) {
  service.key = null;
  byId("key-form").hidden = false;
  byId("key-wrong").hidden = !wrong;
  byId("key").focus();
}

function submitKey(event) {
  event.preventDefault();
  service.key = byId("key").value;
  byId("key").value = "";
  byId("key-form").hidden = true;
  byId("problem").hidden = true;
  if (items.length) run();
}

/** Announce the result of a run. */
function summarise(checked) {
  if (checked.length === 1) setStatus("finished.one", { name: checked[0].name, verdict: headline(checked[0].record) });
  else if (checked.length) {
    const counts = countByGrade(checked.map(({ record }) => record)).map(([grade, count]) => t("finished.grade", { grade, count: number(count) }));
    setStatus("finished.other", { count: number(checked.length), counts: `${counts.join(", ")}.` });
  }
}

/** Update the page around the cards from the list of items. */
function render() {
  const wasFocused = document.activeElement === byId("run") || document.activeElement === byId("cancel");
  const waiting = items.filter((item) => !item.record).length;
  const busy = running !== null;
  document.body.classList.toggle("filled", items.length > 0);
  document.body.classList.toggle("solo", items.length === 1);
  document.body.classList.toggle("many", items.length > 6);
  byId("tools").hidden = items.length === 0;
  byId("run").textContent = waiting ? plural("run", waiting) : plural("again", items.length);
  byId("run").hidden = busy;
  byId("run").classList.toggle("plain", !waiting);
  byId("choose").textContent = t(items.length ? "choose.more" : "choose");
  byId("choose").classList.toggle("plain", items.length > 0);
  byId("cancel").hidden = !busy;
  byId("progress").hidden = !busy;
  if (wasFocused) byId(busy ? "cancel" : "run").focus({ preventScroll: true }); // the focused button was replaced
  byId("privacy").hidden = items.length > 0 && !waiting && !busy && backend === service;
  showTable();
}

start();
