// The toolbar's popup: the pictures of the page that is open, pictures that are dropped, pasted or chosen, and settings.

import { Card } from "./assets/js/card.js";
import { byId } from "./assets/js/dom.js";
import { wireIntake } from "./assets/js/intake.js";
import { number, plural, t } from "./assets/js/texts.js";

const MOST = 20; // pictures at a time; the full page takes more
const ask = async (message) => (await chrome.runtime.sendMessage({ to: "background", ...message })).value;
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

// Pictures of a page.

function showProgress({ on, running, checked, waiting, counts, needs, skipped }) {
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
  byId("needs").hidden = !needs.length;
  byId("needs-allow").textContent = plural("popup.needs", counts.needs ?? 0, { hosts: needs.map((pattern) => new URL(pattern.replace("*", "")).hostname).join(", ") });
  byId("needs-allow").onclick = async () => {
    if (await chrome.permissions.request({ origins: needs })) scan();
  };
}

async function scan() {
  byId("refused").hidden = await ask({ call: "scan", tabId: tab.id });
}

function wirePage() {
  byId("page").hidden = !tab;
  if (!tab) return;
  byId("scan").addEventListener("click", scan);
  byId("clear").addEventListener("click", () => chrome.tabs.sendMessage(tab.id, { call: "clear" }).catch(() => {}));
  const records = () => chrome.tabs.sendMessage(tab.id, { call: "records" });
  byId("csv").addEventListener("click", async () => (await import("./assets/js/exports.js")).saveCsv(await records()));
  byId("json").addEventListener("click", async () => (await import("./assets/js/exports.js")).saveJson(await records()));
  byId("pick").addEventListener("click", async () => {
    if (await ask({ call: "pick", tabId: tab.id })) window.close();
    else byId("refused").hidden = false;
  });
  byId("window").href = `popup.html?tab=${tab.id}`;
  chrome.runtime.onMessage.addListener((message, sender) => {
    if (message.to === "popup" && sender.tab?.id === tab.id && sender.frameId === 0) showProgress(message.progress);
  });
  chrome.tabs.sendMessage(tab.id, { call: "progress" }).then((progress) => progress && showProgress(progress), () => {}); // nothing is injected yet
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
