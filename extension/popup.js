// The toolbar popup: checks the pictures of the open page and pictures that are chosen, dropped or pasted; settings.

import { Card } from "./assets/js/card.js";
import { byId } from "./assets/js/dom.js";
import { wireFileInput } from "./assets/js/file-input.js";
import { number, plural, t } from "./assets/js/i18n.js";

const MAX_PICTURES = 20; // at a time; predict.html takes more

/** Call the background script, which may not listen yet just after installation. */
async function callBackground(message, retries = 10) {
  try {
    return (await chrome.runtime.sendMessage({ to: "background", ...message })).value;
  } catch (error) {
    if (!retries) throw error;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return callBackground(message, retries - 1);
  }
}

const query = new URLSearchParams(location.search);

async function activeTab() {
  const id = Number(query.get("tab"));
  if (id) return chrome.tabs.get(id).catch(() => null); // this page was opened in a tab of its own
  const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
  return tab?.url?.startsWith(location.origin) ? null : (tab ?? null);
}

const tab = await activeTab();
const address = tab?.url && /^https?:/.test(tab.url) ? new URL(tab.url) : null; // known through the activeTab permission
const origin = address && `${address.protocol}//${address.hostname}/*`;

// Checking a page and its frames.

/** Results of the scan's function `name` in the page and each accessible frame, the page first. */
async function callScans(name) {
  const func = (scanFunction) => globalThis.imageprocess?.scan?.[scanFunction]();
  const results = await chrome.scripting.executeScript({ target: { tabId: tab.id, allFrames: true }, func, args: [name] });
  return results.sort((a, b) => a.frameId - b.frameId).map(({ result }) => result).filter(Boolean);
}

const sumCounts = (counts) => counts.flatMap(Object.entries).reduce((all, [name, count]) => ({ ...all, [name]: (all[name] ?? 0) + count }), {});
const total = (frames, name) => frames.reduce((sum, frame) => sum + frame[name], 0);

/** The progress of a page from that of its frames. */
function mergeProgress(frames) {
  const scannedSites = new Set(frames.map(({ site }) => site));
  return {
    on: frames.some(({ on }) => on), running: frames.some(({ running }) => running),
    checked: total(frames, "checked"), waiting: total(frames, "waiting"),
    counts: sumCounts(frames.map(({ counts }) => counts)), skipped: sumCounts(frames.map(({ skipped }) => skipped)),
    needs: [...new Set(frames.flatMap(({ needs }) => needs))],
    frames: [...new Set(frames.flatMap((frame) => frame.frames))].filter((site) => !scannedSites.has(site)),
  };
}

let refreshing = null; // null, "once" or "again": one refresh after the last of several notifications is enough
async function refresh() {
  if (refreshing) return void (refreshing = "again");
  refreshing = "once";
  const frames = await callScans("progress").catch(() => []); // no content scripts are injected yet
  if (frames.length) showProgress(mergeProgress(frames));
  const isStale = refreshing === "again";
  refreshing = null;
  if (isStale) refresh();
}

const hosts = (patterns) => patterns.map((pattern) => new URL(pattern.replace("*", "")).hostname).join(", ");

function showPermissionButton(name, text, origins) {
  byId(name).hidden = !origins.length;
  byId(`${name}-allow`).textContent = text;
  byId(`${name}-allow`).onclick = async () => {
    if (await chrome.permissions.request({ origins })) scan();
  };
}

function showProgress({ on, running, checked, waiting, counts, needs, frames, skipped }) {
  byId("clear").hidden = !on;
  byId("csv").hidden = byId("json").hidden = !checked || running;
  const byLabel = ["ai", "real", "unsure"].map((label) => [label, counts[label] ?? 0]);
  byId("progress").textContent = !on
    ? ""
    : [
        running ? t("progress", { done: number(checked), total: number(checked + waiting) }) : plural("popup.checked", checked),
        checked && t("popup.counts", Object.fromEntries(byLabel.map(([label, count]) => [label, number(count)]))),
        !running && skipped.small && plural("popup.small", skipped.small),
      ].filter(Boolean).join(" ");
  showPermissionButton("needs", plural("popup.needs", counts.needs ?? 0, { hosts: hosts(needs) }), needs);
  showPermissionButton("frames", t("popup.frames", { hosts: hosts(frames) }), frames);
}

async function scan() {
  byId("refused").hidden = await callBackground({ call: "scan", tabId: tab.id });
}

function wirePage() {
  byId("page").hidden = !tab;
  if (!tab) return;
  byId("scan").addEventListener("click", scan);
  byId("clear").addEventListener("click", () => chrome.tabs.sendMessage(tab.id, { call: "clear" }).catch(() => {}));
  const records = async () => (await callScans("records")).flat();
  byId("csv").addEventListener("click", async () => (await import("./assets/js/exports.js")).saveCsv(await records()));
  byId("json").addEventListener("click", async () => (await import("./assets/js/exports.js")).saveJson(await records()));
  byId("pick").addEventListener("click", async () => {
    if (await callBackground({ call: "pick", tabId: tab.id })) window.close();
    else byId("refused").hidden = false;
  });
  byId("window").href = `popup.html?tab=${tab.id}`;
  chrome.runtime.onMessage.addListener((message, sender) => {
    if (message.to === "popup" && sender.tab?.id === tab.id) refresh();
  });
  refresh();
}

// Sites that are always checked.

async function wireSite() {
  const { sites = [] } = await chrome.storage.local.get("sites");
  byId("site").hidden = !origin;
  byId("always-label").textContent = t("popup.always", { host: address?.hostname ?? "" });
  byId("always").checked = sites.includes(origin) && (await chrome.permissions.contains({ origins: [origin] }));
  byId("always").addEventListener("change", async ({ target }) => {
    const granted = target.checked && (await chrome.permissions.request({ origins: [origin] }));
    const { sites: now = [] } = await chrome.storage.local.get("sites");
    const others = now.filter((site) => site !== origin);
    await chrome.storage.local.set({ sites: granted ? [...others, origin] : others });
    if (!target.checked) await chrome.permissions.remove({ origins: [origin] }).catch(() => {});
    target.checked = granted;
    if (granted) scan();
    showAllowed();
  });
}

async function showAllowed() {
  const { origins = [] } = await chrome.permissions.getAll();
  byId("allowed").textContent = origins.length ? t("popup.allowed", { sites: origins.join(", ") }) : t("popup.allowed.none");
  byId("forget").hidden = origins.length === 0;
}

async function forget() {
  const { origins = [] } = await chrome.permissions.getAll();
  await chrome.permissions.remove({ origins });
  await chrome.storage.local.set({ sites: [] });
  byId("always").checked = false;
  showAllowed();
}

// Checking chosen, dropped or pasted pictures.

const items = [];

async function add(files) {
  const added = [...files].slice(0, MAX_PICTURES - items.length).map((file) => ({ name: file.name, file, state: "waiting", record: null, where: "browser" }));
  for (const item of added) {
    item.card = new Card(item, { remove, send: null, report: async () => (await import("./assets/js/report.js")).openReport(item), wrong: null });
    items.push(item);
    byId("cards").prepend(item.card.element);
    await item.card.preview(600);
  }
  for (const item of added) await check(item);
}

async function check(item) {
  const { mode = "balanced" } = await chrome.storage.local.get("mode");
  setState(item, "running", null);
  const url = URL.createObjectURL(item.file);
  try {
    await callBackground({ call: "start" });
    const { record, readableByService, error } = await chrome.runtime.sendMessage({ to: "engine", call: "check", url, name: item.name, mode });
    item.unreadable = readableByService ? /TIFF|HEIC/.exec(record.error.message)?.[0] : undefined;
    setState(item, "done", record ?? { source: item.name, status: "error", error: { code: "crashed", message: error } });
  } finally {
    URL.revokeObjectURL(url);
  }
}

function setState(item, state, record) {
  Object.assign(item, { state, record });
  item.card.update();
}

function remove(item) {
  items.splice(items.indexOf(item), 1);
  item.card.element.remove();
}

async function wireSettings() {
  const settings = await chrome.storage.local.get(["mode", "minSide"]);
  byId("mode").value = settings.mode ?? "balanced";
  byId("min-side").value = settings.minSide ?? 96;
  byId("mode").addEventListener("change", async ({ target }) => {
    await chrome.storage.local.set({ mode: target.value });
    for (const item of items) await check(item);
  });
  byId("min-side").addEventListener("change", ({ target }) => target.checkValidity() && chrome.storage.local.set({ minSide: Number(target.value) }));
  byId("forget").addEventListener("click", forget);
}

byId("refused").hidden = !query.has("refused");
if (query.has("lang")) callBackground({ call: "restart" }); // the engine loads its texts only at its start
wireFileInput(add);
wirePage();
await Promise.all([wireSite(), wireSettings(), showAllowed()]);
document.body.dataset.ready = "";
