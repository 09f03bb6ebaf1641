// Service worker (Firefox: event page): the menu entry, injection of content scripts, and sites that are always checked.
// Keeps no state, because it may be stopped and started at any time.

const CONTENT_SCRIPTS = ["page/pictures.js", "page/checker.js", "page/overlay.js", "page/panel.js", "page/scan.js", "page/messages.js"];
const ALWAYS_CHECKED = "allowed-sites"; // id of the content script of sites that are always checked

chrome.runtime.onInstalled.addListener(async () => {
  await chrome.contextMenus.removeAll();
  chrome.contextMenus.create({
    id: "check", title: chrome.i18n.getMessage("check"), contexts: ["image", "link", "page", "video", "frame"],
    documentUrlPatterns: ["*://*/*", "file://*/*"],
  });
  await registerAlwaysChecked();
});

chrome.contextMenus.onClicked.addListener(async ({ mediaType, srcUrl, frameId }, tab) => {
  const src = mediaType === "image" ? srcUrl : null; // null: an overlay or background; the page finds the picture below
  await callPage(tab.id, { call: "show", src }, { frameId });
});

/**
 * Inject the content scripts and send them `message`. `allFrames`: to the page and all frames that the extension may
 * access; else to frame `frameId` only, or to the page if that frame is not accessible.
 * @returns {Promise<boolean>} whether the page can be reached
 */
async function callPage(tabId, message, { frameId = 0, allFrames = false } = {}) {
  const inject = (target) => chrome.scripting.executeScript({ target: { tabId, ...target }, files: CONTENT_SCRIPTS });
  try {
    await inject(allFrames ? { allFrames } : { frameIds: [0] });
    // If a frame of another site is not accessible, the page is asked, which knows at least the frame's address.
    const isAccessible = !frameId || (await inject({ frameIds: [frameId] }).then(() => true, () => false));
    await chrome.tabs.sendMessage(tabId, message, allFrames ? {} : { frameId: isAccessible ? frameId : 0 });
    return true;
  } catch (error) {
    console.warn(String(error)); // the browser's own pages and extension stores allow no scripts
    if (message.call === "show") await chrome.tabs.create({ url: "popup.html?refused" });
    return false;
  }
}

let starting = null;
const [MAX_ATTEMPTS, RETRY_MS] = [400, 50];

/** Start engine.html and wait until it listens. Firefox runs engine.js in this page, where it may still be loading. */
async function startEngine() {
  if (!chrome.offscreen) return void (await import("./engine.js"));
  if (!(await chrome.offscreen.hasDocument())) {
    starting ??= chrome.offscreen
      .createDocument({ url: "engine.html", reasons: ["WORKERS"], justification: "Runs the model in a worker." })
      .finally(() => (starting = null));
    await starting;
  }
  // The document is created before its modules, which await their texts, have added a message listener.
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    if (await chrome.runtime.sendMessage({ to: "engine", call: "setup" }).catch(() => null)) return;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  throw new Error("the extension's engine did not start");
}

/** Register the content scripts for the sites that the user always wants checked and that are still permitted. */
async function registerAlwaysChecked() {
  const { sites = [] } = await chrome.storage.local.get("sites");
  const { origins = [] } = await chrome.permissions.getAll();
  const all = origins.some((origin) => ["*://*/*", "<all_urls>"].includes(origin));
  const matches = sites.filter((site) => all || origins.includes(site));
  await chrome.scripting.unregisterContentScripts({ ids: [ALWAYS_CHECKED] }).catch(() => {}); // there was none
  if (!matches.length) return;
  await chrome.scripting.registerContentScripts([
    { id: ALWAYS_CHECKED, matches, js: [...CONTENT_SCRIPTS, "page/auto-scan.js"], allFrames: true, runAt: "document_idle", persistAcrossSessions: true },
  ]);
}

chrome.permissions.onAdded.addListener(registerAlwaysChecked);
chrome.permissions.onRemoved.addListener(registerAlwaysChecked);
chrome.storage.local.onChanged.addListener(({ sites }) => sites && registerAlwaysChecked());

/** What the extension's pages and content scripts can call. */
const calls = {
  start: startEngine,
  /** Close the engine; it restarts with the next check. */
  restart: async () => chrome.offscreen && (await chrome.offscreen.hasDocument()) && chrome.offscreen.closeDocument(),
  scan: ({ tabId }) => callPage(tabId, { call: "scan" }, { allFrames: true }),
  pick: ({ tabId }) => callPage(tabId, { call: "show", src: null }),
  /** Show the picture at a point of a frame. Returns whether that frame is accessible. */
  showInFrame: async ({ path, at }, { tab }) => {
    await chrome.scripting.executeScript({ target: { tabId: tab.id, allFrames: true }, files: CONTENT_SCRIPTS });
    return Boolean(await chrome.tabs.sendMessage(tab.id, { call: "showAt", path, at }).catch(() => false));
  },
  /** Whether the extension has permission for this origin. */
  hasPermission: ({ origin }) => chrome.permissions.contains({ origins: [origin] }),
  /** Frames are too small for the panel: their page shows it for them. */
  showPanelForFrame: ({ picture }, { tab, frameId }) =>
    chrome.tabs.sendMessage(tab.id, { call: "showPanelForFrame", picture: { ...picture, frameId } }, { frameId: 0 }),
  /** Forward a page's request to one of its frames. */
  forwardToFrame: ({ frameId, request }, { tab }) => chrome.tabs.sendMessage(tab.id, request, { frameId }),
};

chrome.runtime.onMessage.addListener((message, sender, sendResponse) => {
  if (message.to !== "background" || !Object.hasOwn(calls, message.call)) return false;
  Promise.resolve(calls[message.call](message, sender)).then((value) => sendResponse({ value }), (error) => sendResponse({ error: String(error) }));
  return true;
});
