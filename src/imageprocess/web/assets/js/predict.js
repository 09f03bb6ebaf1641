// The page that checks pictures: files come in, wait as cards, are looked at one after another, and become verdicts.

import { counted } from "./answer.js";
import { Card } from "./card.js";
import { byId } from "./dom.js";
import { wireIntake } from "./intake.js";
import { ServiceError } from "./service.js";
import { site } from "./site.js";
import { history, wireHistory } from "./storage.js";
import { bytes, number, plural, privacyOf, t } from "./texts.js";
import { browser, service } from "./backends.js";
import { failure, headline } from "./wording.js";

const leaving = {
  zoom: async (item) => (await import("./zoom.js")).zoom(item),
  report: async (item) => (await import("./report.js")).openReport(item),
  print: async (item) => (await import("./leaving.js")).printReport(item),
  inspect: async (item) => (await import("./inspect.js")).openInspection(item, () => backend === browser && judgeAgain()),
  wrong: async (item) => (await import("./leaving.js")).openWrong(item),
};

const MOST = 200; // pictures at a time

const items = []; // {name, file, state: "waiting" | "running" | "done", record, card, sent, where, mode, limit, run}
let backend = site.private && !site.service ? browser : service;
let running = null; // the AbortController of the run in progress

async function start() {
  wireIntake(add, tellLink);
  wireHistory();
  byId("run").addEventListener("click", () => run());
  byId("cancel").addEventListener("click", () => running?.abort());
  byId("reset").addEventListener("click", reset);
  byId("mode").addEventListener("change", judgeAgain);
  byId("csv").addEventListener("click", async () => (await import("./exports.js")).saveCsv(records()));
  byId("json").addEventListener("click", async () => (await import("./exports.js")).saveJson(records()));
  byId("key-form").addEventListener("submit", takeKey);
  byId("where").hidden = !(site.private && site.service);
  byId(backend === browser ? "where-browser" : "where-service").checked = true;
  for (const choice of document.querySelectorAll("[name=where]")) {
    choice.addEventListener("change", () => choose(byId("where-browser").checked ? browser : service));
  }
  render();
  if (site.thorough && site.private) await (await import("./thorough.js")).wireThorough(changeModel);
  const ready = choose(backend);
  if (location.hash) import("./arrivals.js").then(({ takeArrivals }) => takeArrivals(add, tellProblem));
  return ready;
}

const tellProblem = (textContent) => Object.assign(byId("problem"), { hidden: false, textContent });

/** Switch to the browser or the service, say where pictures go, and get ready. Tells whether that worked. */
async function choose(chosen) {
  backend = chosen;
  byId("thorough").hidden = !(site.thorough && site.private && backend === browser);
  byId("privacy").textContent = privacy();
  byId("limits").textContent = "";
  for (const id of ["problem", "loading", "fetched", "noisy"]) byId(id).hidden = true;
  try {
    await prepare();
    return true;
  } catch (error) {
    // Told where it matters: when a picture is to be checked, or here for want of a service.
    if (backend === chosen && error.name !== "AbortError") byId("limits").textContent = told(error);
    return error.name === "AbortError"; // another choice was made meanwhile
  }
}

/** Another model looks at what was checked already, at once. */
async function changeModel() {
  running?.abort();
  const ready = await choose(browser);
  if (ready) judgeAgain();
  return ready;
}

function privacy() {
  const sentence = t(privacyOf(backend === browser), { host: location.host });
  return site.private ? sentence : `${sentence} ${t("privacy.unbuilt")}`;
}

async function prepare() {
  if (backend === browser) {
    byId("limits").textContent = t("limits.browser");
    try {
      const { faithful } = await browser.load(tellLoading);
      Object.assign(byId("noisy"), { hidden: faithful || backend !== browser, textContent: t("noisy") });
    } finally {
      for (const id of ["loading", "fetched"]) byId(id).hidden = true;
    }
    return;
  }
  const { service: allows } = await service.load();
  if (backend !== service) return; // chosen meanwhile
  byId("limits").textContent = t("limits", { formats: allows.formats.join(", "), size: service.limit() });
  if (allows.key_required && service.key === null) askForKey();
}

function tellLoading(done, total) {
  byId("loading").hidden = backend !== browser || done >= total;
  byId("loading").textContent = t("loading", { done: bytes(done), total: bytes(total) });
  Object.assign(byId("fetched"), { hidden: byId("loading").hidden, max: total, value: done });
}

const told = (error) => (error instanceof ServiceError ? failure(error) : t("load.failed", { why: error.message }));

async function add(files) {
  const room = MOST - items.length;
  const added = [...files].slice(0, Math.max(0, room)).map((file) => {
    const item = { name: file.name, file, state: "waiting", record: null };
    item.card = new Card(item, { remove, send: site.service ? send : null, ...leaving });
    return item;
  });
  const tellLeft = () => {
    byId("problem").textContent = t("too-many", { left: files.length - added.length });
    byId("problem").hidden = files.length === added.length;
  };
  if (!added.length) return tellLeft();
  items.push(...added);
  byId("cards").append(...added.map((item) => item.card.element));
  render();
  byId("run").focus({ preventScroll: true });
  // A sharp preview of a few, a small one of many: each is kept in memory.
  const longest = items.length > 6 ? 400 : 1200;
  const shown = (async () => {
    for (const item of added) await item.card.preview(longest); // one after another: each is decoded whole
  })();
  if (backend === browser) run(); // nothing leaves: no reason to wait for a word
  tellLeft();
  await shown;
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

/** Another setting is another verdict: of what was checked already, at once. What was never sent still waits. */
function judgeAgain() {
  const judged = items.filter((item) => item.record);
  judged.forEach((item) => show(item, "waiting", null));
  if (judged.length) run(backend === service ? new Set(judged) : null);
}

/** No page may fetch another site's picture. Say what a person can do instead. */
function tellLink(key) {
  byId("problem").textContent = t(key);
  byId("problem").hidden = false;
}

const records = () => items.map((item) => item.record).filter(Boolean);

/** What a browser cannot read goes to the service, when a person says so; the others stay. */
function send(item) {
  item.sent = true;
  show(item, "waiting", null);
  run();
}

/** Check what waits; where nothing does, check all again. `only`: these alone, where it is given. */
async function run(only = null) {
  if (running) return;
  if (items.every((item) => item.record)) items.forEach((item) => show(item, "waiting", null));
  const control = (running = new AbortController());
  const { signal } = control;
  const stopped = new Promise((_, reject) => (signal.onabort = () => reject(signal.reason)));
  const left = () => items.filter((item) => !item.record && (!only || only.has(item)));
  const checked = () => items.filter(({ record, run }) => record && run === control);
  const counts = () => ({ done: checked().length, total: checked().length + left().length });
  let item;
  byId("problem").hidden = true;
  try {
    render();
    await Promise.race([prepare(), stopped]);
    while ((item = left()[0])) {
      const { done, total } = counts();
      Object.assign(byId("progress"), { max: total, value: done });
      tell("progress", { done, total });
      show(item, "running", null);
      const [asked, mode] = [item.sent ? service : backend, byId("mode").value];
      if (item.sent) await Promise.race([service.load(), stopped]);
      const pause = (seconds) => tell("paused", { done, total, seconds: number(seconds) });
      const { record, unreadable } = await Promise.race([asked.check(item.file, { mode, signal, pause }), stopped]);
      if (mode !== byId("mode").value) {
        show(item, "waiting", null); // another setting is asked for by now
        continue;
      }
      Object.assign(item, { unreadable, mode, run: control, limit: asked.limit(), where: asked === browser ? "browser" : "service" });
      show(item, "done", record);
      showTableSoon();
      const { canvas } = item.card;
      if (byId("history-keep").checked) history().then(({ remember }) => remember(record, canvas));
    }
    await showTable().catch(console.warn); // who hears that all is done must find the table
    if (running === control) summarise(checked());
  } catch (error) {
    if (item) show(item, "waiting", null);
    if (running !== control) return; // started over meanwhile
    if (error.name === "AbortError") tell("cancelled", counts());
    else problem(error);
  } finally {
    if (running === control) running = null;
    render();
  }
}

/** The table's code, texts and styles come with the first result. */
async function showTable() {
  if (items.some((item) => item.record) || !byId("results").hidden) (await import("./table.js")).showTable(items);
}

let tableTimer = null;

/** Two hundred pictures in a second would be two hundred tables. */
function showTableSoon() {
  if (tableTimer) return;
  tableTimer = setTimeout(() => {
    tableTimer = null;
    showTable();
  }, 500);
}

function tell(key, values) {
  byId("status").textContent = t(key, values);
  byId("status").dataset.told = key;
}

function show(item, state, record) {
  Object.assign(item, { state, record });
  item.card.update();
}

function problem(error) {
  tellProblem(told(error));
  if (error.code === "key_missing" || error.code === "key_wrong") askForKey(error.code === "key_wrong");
}

function askForKey(wrong = false) {
  service.key = null;
  byId("key-form").hidden = false;
  byId("key-wrong").hidden = !wrong;
  byId("key").focus();
}

function takeKey(event) {
  event.preventDefault();
  service.key = byId("key").value;
  byId("key").value = "";
  byId("key-form").hidden = true;
  byId("problem").hidden = true;
  if (items.length) run();
}

function summarise(checked) {
  if (checked.length === 1) tell("finished.one", { name: checked[0].name, verdict: headline(checked[0].record) });
  else if (checked.length) {
    const found = counted(checked.map(({ record }) => record)).map(([grade, count]) => t("finished.grade", { grade, count: number(count) }));
    tell("finished.other", { count: number(checked.length), found: `${found.join(", ")}.` });
  }
}

/** What the page around the cards shows follows from the items alone. */
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
  if (wasFocused) byId(busy ? "cancel" : "run").focus({ preventScroll: true }); // the other one is gone
  byId("privacy").hidden = items.length > 0 && !waiting && !busy && backend === service;
  showTable();
}

start();
