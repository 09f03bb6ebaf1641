// The menu entry, what is injected into a page and when, and which sites are allowed. Keeps no state of its own: it may
// be stopped and started at any time.

const INJECTED = ["page/find.js", "page/read.js", "page/layer.js", "page/panel.js", "page/scan.js", "page/main.js"];
const ALLOWED = "allowed-sites"; // the id of the content script of sites that are always checked

chrome.runtime.onInstalled.addListener(async () => {
  await chrome.contextMenus.removeAll();
  chrome.contextMenus.create({
    id: "check", title: chrome.i18n.getMessage("check"), contexts: ["image", "link", "page", "video", "frame"],
    documentUrlPatterns: ["*://*/*", "file://*/*"],
  });
  await register();
});

chrome.contextMenus.onClicked.addListener(async ({ mediaType, srcUrl, frameId }, tab) => {
  const src = mediaType === "image" ? srcUrl : null; // null: an overlay or a background; the page finds what is below
  await inPage(tab.id, { call: "show", src }, { frameId });
});

/**
 * Inject what is missing, and send it `message`. `allFrames`: into the page and all its frames that may be read; else into
 * the page, and into the frame `frameId`, which alone gets the message. Answers whether the page can be reached.
 */
async function inPage(tabId, message, { frameId = 0, allFrames = false } = {}) {
  const inject = (target) => chrome.scripting.executeScript({ target: { tabId, ...target }, files: INJECTED });
  try {
    await inject(allFrames ? { allFrames } : { frameIds: [0] });
    // A frame of another site may be closed to us: then the page is asked, which knows the picture's address at least.
    const isOpen = !frameId || (await inject({ frameIds: [frameId] }).then(() => true, () => false));
    await chrome.tabs.sendMessage(tabId, message, allFrames ? {} : { frameId: isOpen ? frameId : 0 });
    return true;
  } catch (error) {
    console.warn(String(error)); // the browser's own pages and stores take no scripts
    if (message.call === "show") await chrome.tabs.create({ url: "popup.html?refused" });
    return false;
  }
}

let starting = null;
const [ENGINE_TRIES, ENGINE_WAIT_MS] = [400, 50];

/** See to it that engine.html is there and listens. Firefox runs the engine beside this file, where it may still be loading. */
async function startEngine() {
  if (!chrome.offscreen) return void (await import("./engine.js"));
  if (!(await chrome.offscreen.hasDocument())) {
    starting ??= chrome.offscreen
      .createDocument({ url: "engine.html", reasons: ["WORKERS"], justification: "Runs the model in a worker." })
      .finally(() => (starting = null));
    await starting;
  }
  // The document has loaded before its modules have, which await their texts: until then a question finds nobody.
  for (let tries = 0; tries < ENGINE_TRIES; tries += 1) {
    if (await chrome.runtime.sendMessage({ to: "engine", call: "setup" }).catch(() => null)) return;
    await new Promise((resolve) => setTimeout(resolve, ENGINE_WAIT_MS));
  }
  throw new Error("the engine does not answer");
}

/** The sites that are always checked are those whose permission lasts and that the user switched on. */
async function register() {
  const { sites = [] } = await chrome.storage.local.get("sites");
  const { origins = [] } = await chrome.permissions.getAll();
  const all = origins.some((origin) => ["*://*/*", "<all_urls>"].includes(origin));
  const matches = sites.filter((site) => all || origins.includes(site));
  await chrome.scripting.unregisterContentScripts({ ids: [ALLOWED] }).catch(() => {}); // there was none
  if (!matches.length) return;
  await chrome.scripting.registerContentScripts([
    { id: ALLOWED, matches, js: [...INJECTED, "page/auto.js"], allFrames: true, runAt: "document_idle", persistAcrossSessions: true },
  ]);
}

chrome.permissions.onAdded.addListener(register);
chrome.permissions.onRemoved.addListener(register);
chrome.storage.local.onChanged.addListener(({ sites }) => sites && register());

const calls = {
  start: startEngine,
  /** The engine starts anew with the next question. */
  restart: async () => chrome.offscreen && (await chrome.offscreen.hasDocument()) && chrome.offscreen.closeDocument(),
  scan: ({ tabId }) => inPage(tabId, { call: "scan" }, { allFrames: true }),
  pick: ({ tabId }) => inPage(tabId, { call: "show", src: null }),
  /** Show what lies at a point of a frame. Answers whether the extension may look into that frame. */
  pointInFrame: async ({ path, at }, { tab }) => {
    await chrome.scripting.executeScript({ target: { tabId: tab.id, allFrames: true }, files: INJECTED });
    return Boolean(await chrome.tabs.sendMessage(tab.id, { call: "showAt", path, at }).catch(() => false));
  },
  /** May the engine read from this address? */
  permitted: ({ origin }) => chrome.permissions.contains({ origins: [origin] }),
  /** A frame has too little room for a panel: its page shows the frame's picture. */
  showForFrame: ({ picture }, { tab, frameId }) =>
    chrome.tabs.sendMessage(tab.id, { call: "showForFrame", picture: { ...picture, frameId } }, { frameId: 0 }),
  /** What a page asks of one of its frames. */
  inFrame: ({ frameId, question }, { tab }) => chrome.tabs.sendMessage(tab.id, question, { frameId }),
};

chrome.runtime.onMessage.addListener((message, sender, answer) => {
  if (message.to !== "background" || !Object.hasOwn(calls, message.call)) return false;
  Promise.resolve(calls[message.call](message, sender)).then((value) => answer({ value }), (error) => answer({ error: String(error) }));
  return true;
});
