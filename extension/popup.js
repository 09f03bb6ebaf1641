// The toolbar's popup: the pictures of the page that is open, pictures that are dropped, pasted or chosen, and settings.

import { Card } from "./assets/js/card.js";
import { byId } from "./assets/js/dom.js";
import { wireIntake } from "./assets/js/intake.js";
import { number, plural, t } from "./assets/js/texts.js";

const MOST = 20; // pictures at a time; the full page takes more

/** Just after installation the background page may not listen yet. */
async function ask(message, tries = 10) {
  try {
    return (await chrome.runtime.sendMessage({ to: "background", ...message })).value;
  } catch (error) {
    if (!tries) throw error;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return ask(message, tries - 1);
  }
}

const query = new URLSearchParams(location.search);

async function shownTab() {
  const id = Number(query.get("tab"));
  if (id) return chrome.tabs.get(id).catch(() => null); // opened in a tab of its own from that tab's popup
  const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
  return tab?.url?.startsWith(location.origin) ? null : (tab ?? null);
}

const tab = await shownTab();
const address = tab?.url && /^https?:/.test(tab.url) ? new URL(tab.url) : null; // known by activeTab
const origin = address && `${address.protocol}//${address.hostname}/*`;

// Pictures of a page and of its frames.

/** What the page and each frame that may be read answer to `call`, the page first. */
async function ofFrames(call) {
  const func = (name) => globalThis.imageprocess?.scan?.[name]();
  const answers = await chrome.scripting.executeScript({ target: { tabId: tab.id, allFrames: true }, func, args: [call] });
  return answers.sort((a, b) => a.frameId - b.frameId).map(({ result }) => result).filter(Boolean);
}

const sums = (counted) => counted.flatMap(Object.entries).reduce((all, [name, count]) => ({ ...all, [name]: (all[name] ?? 0) + count }), {});
const total = (frames, name) => frames.reduce((sum, frame) => sum + frame[name], 0);

/** The progress of several frames as that of one page. */
function merged(frames) {
  const read = new Set(frames.map(({ site }) => site));
  return {
    on: frames.some(({ on }) => on), running: frames.some(({ running }) => running),
    checked: total(frames, "checked"), waiting: total(frames, "waiting"),
    counts: sums(frames.map(({ counts }) => counts)), skipped: sums(frames.map(({ skipped }) => skipped)),
    needs: [...new Set(frames.flatMap(({ needs }) => needs))],
    frames: [...new Set(frames.flatMap((frame) => frame.frames))].filter((site) => !read.has(site)),
  };
}

let asking = null; // several frames tell of changes at once; one question after the last answers them all
async function refresh() {
  if (asking) return void (asking = "again");
  asking = "once";
  const frames = await ofFrames("progress").catch(() => []); // nothing is injected yet
  if (frames.length) showProgress(merged(frames));
  const isStale = asking === "again";
  asking = null;
  if (isStale) refresh();
}

const hosts = (patterns) => patterns.map((pattern) => new URL(pattern.replace("*", "")).hostname).join(", ");

function wireAllow(name, text, origins) {
  byId(name).hidden = !origins.length;
  byId(`${name}-allow`).textContent = text;
  byId(`${name}-allow`).onclick = async () => {
    if (await chrome.permissions.request({ origins })) scan();
  };
}

function showProgress({ on, running, checked, waiting, counts, needs, frames, skipped }) {
  byId("clear").hidden = !on;
  byId("csv").hidden = byId("json").hidden = !checked || running;
  const found = ["ai", "real", "unsure"].map((label) => [label, counts[label] ?? 0]);
  byId("progress").textContent = !on
    ? ""
    : [
        running ? t("progress", { done: number(checked), total: number(checked + waiting) }) : plural("popup.checked", checked),
        checked && t("popup.counts", Object.fromEntries(found.map(([label, count]) => [label, number(count)]))),
        !running && skipped.small && plural("popup.small", skipped.small),
      ].filter(Boolean).join(" ");
  wireAllow("needs", plural("popup.needs", counts.needs ?? 0, { hosts: hosts(needs) }), needs);
  wireAllow("frames", t("popup.frames", { hosts: hosts(frames) }), frames);
}

async function scan() {
  byId("refused").hidden = await ask({ call: "scan", tabId: tab.id });
}

function wirePage() {
  byId("page").hidden = !tab;
  if (!tab) return;
  byId("scan").addEventListener("click", scan);
  byId("clear").addEventListener("click", () => chrome.tabs.sendMessage(tab.id, { call: "clear" }).catch(() => {}));
  const records = async () => (await ofFrames("records")).flat();
  byId("csv").addEventListener("click", async () => (await import("./assets/js/exports.js")).saveCsv(await records()));
  byId("json").addEventListener("click", async () => (await import("./assets/js/exports.js")).saveJson(await records()));
  byId("pick").addEventListener("click", async () => {
    if (await ask({ call: "pick", tabId: tab.id })) window.close();
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

// Pictures of one's own.

const items = [];

async function add(files) {
  const added = [...files].slice(0, MOST - items.length).map((file) => ({ name: file.name, file, state: "waiting", record: null, where: "browser" }));
  for (const item of added) {
    item.card = new Card(item, { remove, send: null, report: async () => (await import("./assets/js/report.js")).openReport(item), wrong: null });
    items.push(item);
    byId("cards").prepend(item.card.element);
    await item.card.preview(600);
  }
  for (const item of added) await look(item);
}

async function look(item) {
  const { mode = "balanced" } = await chrome.storage.local.get("mode");
  show(item, "running", null);
  const url = URL.createObjectURL(item.file);
  try {
    await ask({ call: "start" });
    const { record, server, unread } = await chrome.runtime.sendMessage({ to: "engine", call: "check", url, name: item.name, mode });
    item.unreadable = server ? /TIFF|HEIC/.exec(record.error.message)?.[0] : undefined;
    show(item, "done", record ?? { source: item.name, status: "error", error: { code: "crashed", message: unread } });
  } finally {
    URL.revokeObjectURL(url);
  }
}

function show(item, state, record) {
  Object.assign(item, { state, record });
  item.card.update();
}

function remove(item) {
  items.splice(items.indexOf(item), 1);
  item.card.element.remove();
}

async function wireSettings() {
  const kept = await chrome.storage.local.get(["mode", "minSide"]);
  byId("mode").value = kept.mode ?? "balanced";
  byId("min-side").value = kept.minSide ?? 96;
  byId("mode").addEventListener("change", async ({ target }) => {
    await chrome.storage.local.set({ mode: target.value });
    for (const item of items) await look(item);
  });
  byId("min-side").addEventListener("change", ({ target }) => target.checkValidity() && chrome.storage.local.set({ minSide: Number(target.value) }));
  byId("forget").addEventListener("click", forget);
}

byId("refused").hidden = !query.has("refused");
if (query.has("lang")) ask({ call: "restart" }); // another language: the engine has its texts from its start
wireIntake(add);
wirePage();
await Promise.all([wireSite(), wireSettings(), showAllowed()]);
document.body.dataset.ready = "";
