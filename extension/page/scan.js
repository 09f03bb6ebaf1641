// Scans a page: puts a badge with the verdict on each picture, those in view first, and on new pictures as they appear.

globalThis.imageprocess ??= {};

imageprocess.scan ??= (() => {
  const { checker, overlay, panel, pictures } = imageprocess;
  const MAX_PICTURES = 500; // per page
  const RESCAN_MS = 700;
  let activeScan = null; // {badges, waiting, skipped, needs, busy, observer, ...}

  async function start() {
    stop();
    const settings = await checker.settings();
    const { words } = await checker.callEngine({ call: "setup" });
    const scan = (activeScan = { ...settings, words, badges: new Map(), waiting: new Map(), skipped: new Map(), needs: new Set(), busy: false });
    let timer = null;
    const scheduleUpdate = () => (timer ??= setTimeout(() => ((timer = null), activeScan === scan && updatePictures(scan)), RESCAN_MS));
    scan.observer = new MutationObserver(scheduleUpdate);
    scan.observer.observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["src", "srcset", "style", "class"] });
    scan.stop = new AbortController();
    document.addEventListener("load", scheduleUpdate, { capture: true, signal: scan.stop.signal });
    updatePictures(scan);
  }

  function stop() {
    if (!activeScan) return;
    activeScan.observer.disconnect();
    activeScan.stop.abort();
    for (const { node } of activeScan.badges.values()) overlay.remove(node);
    activeScan = null;
    notifyPopup();
  }

  /** Queue new pictures, and remove badges of pictures that are gone or have changed. */
  function updatePictures(scan) {
    const now = new Map();
    const skipped = new Map();
    for (const picture of pictures.all()) {
      const why = pictures.skipReason(picture, scan.minSide);
      if (why) skipped.set(picture.element, why);
      else now.set(picture.element, picture);
    }
    scan.skipped = skipped;
    for (const [element, { node, key }] of scan.badges) {
      if (now.get(element)?.urls.join(" ") === key) continue;
      overlay.remove(node);
      scan.badges.delete(element);
    }
    const isKnown = (element, key) => scan.badges.get(element)?.key === key || (scan.current?.element === element && scan.current.key === key);
    scan.waiting = new Map([...now].filter(([element, { urls }]) => !isKnown(element, urls.join(" "))).slice(0, MAX_PICTURES - scan.badges.size));
    checkWaiting(scan);
  }

  /** Check the queued pictures one by one; at most one such loop runs per scan. */
  async function checkWaiting(scan) {
    if (scan.busy) return;
    scan.busy = true;
    while (activeScan === scan && scan.waiting.size) {
      notifyPopup();
      const picture = nearest(scan.waiting);
      scan.waiting.delete(picture.element);
      const key = picture.urls.join(" ");
      scan.current = { element: picture.element, key };
      const result = await checker.check(picture.urls, scan.mode).catch((error) => ({ error: String(error.message ?? error) }));
      if (activeScan !== scan) return;
      if (result.needs) scan.needs.add(result.needs);
      scan.current = null;
      scan.badges.set(picture.element, { key, result, node: badge(picture, result, scan.words) });
    }
    scan.busy = false;
    notifyPopup();
  }

  /** The picture in view, or the one nearest to it. */
  function nearest(pictures) {
    const distance = ({ element }) => {
      const { top, bottom } = element.getBoundingClientRect();
      return bottom < 0 ? -bottom : Math.max(0, top - innerHeight);
    };
    return [...pictures.values()].map((picture) => ({ picture, far: distance(picture) })).reduce((a, b) => (b.far < a.far ? b : a)).picture;
  }

  function badge(picture, { record, headline, needs }, words) {
    const node = document.createElement("button");
    node.className = "badge";
    node.dataset.label = record?.verdict?.label ?? "none";
    node.dataset.grade = record?.verdict?.grade ?? ""; // weak grades have a lighter colour
    const text = document.createElement("span");
    text.textContent = record?.verdict ? headline : words[needs ? "needs" : "failed"];
    node.append(text);
    node.title = text.textContent;
    node.dir = words.dir;
    node.addEventListener("click", (event) => {
      event.preventDefault();
      event.stopPropagation();
      panel.show(picture);
    });
    return overlay.add(node, picture.element, place);
  }

  function place(node, box, origin) {
    const gone = !box || box.width === 0 || !box.height;
    node.hidden = gone;
    node.style.display = gone ? "none" : "";
    if (gone) return;
    node.style.maxWidth = `${Math.max(24, box.width - 12)}px`;
    node.style.left = `${box.left + 6 - origin.left}px`;
    node.style.top = `${box.top + 6 - origin.top}px`;
  }

  /** The progress for the popup. `site`: match pattern of this window; `frames`: those of other sites with frames in it. */
  function progress() {
    const site = /^https?:/.test(location.href) ? `${location.protocol}//${location.hostname}/*` : null;
    if (!activeScan) return { site, running: false, checked: 0, waiting: 0, counts: {}, needs: [], frames: [], skipped: {} };
    const count = (values) => values.reduce((sums, value) => ({ ...sums, [value]: (sums[value] ?? 0) + 1 }), {});
    const results = [...activeScan.badges.values()].map(({ result }) => result);
    return {
      site, running: activeScan.busy, on: true, checked: results.length, waiting: activeScan.waiting.size,
      counts: count(results.map(({ record, needs }) => record?.verdict?.label ?? (needs ? "needs" : "failed"))),
      needs: [...activeScan.needs], frames: pictures.foreignFrames(activeScan.minSide), skipped: count([...activeScan.skipped.values()]),
    };
  }

  /** The records so far, for export: with the picture's URL, without heat maps. */
  const records = () =>
    [...(activeScan?.badges.values() ?? [])].filter(({ result }) => result.record).map(({ result: { record: { heatmap, ...record }, url } }) => ({ ...record, address: url.slice(0, 2000) }));

  function notifyPopup() {
    chrome.runtime.sendMessage({ to: "popup" }).catch(() => {}); // no popup is open
  }

  return { start, stop, progress, records };
})();
