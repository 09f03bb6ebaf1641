// "Check the pictures on this page": a badge on each, those in view first, new ones as they come.

globalThis.imageprocess ??= {};

imageprocess.scan ??= (() => {
  const { find, layer, panel, read } = imageprocess;
  const MOST = 500; // pictures of one page
  const LOOK_AGAIN_MS = 700;
  let run = null; // {badges, waiting, done, skipped, needs, busy, observer}

  async function start() {
    stop();
    const settings = await read.settings();
    const { words } = await read.engine({ call: "setup" });
    const mine = (run = { ...settings, words, badges: new Map(), waiting: new Map(), found: [], skipped: new Map(), needs: new Set(), busy: false });
    let again = null;
    const soon = () => (again ??= setTimeout(() => ((again = null), run === mine && look(mine)), LOOK_AGAIN_MS));
    mine.observer = new MutationObserver(soon);
    mine.observer.observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["src", "srcset", "style", "class"] });
    mine.stop = new AbortController();
    document.addEventListener("load", soon, { capture: true, signal: mine.stop.signal });
    look(mine);
  }

  function stop() {
    if (!run) return;
    run.observer.disconnect();
    run.stop.abort();
    for (const { node } of run.badges.values()) layer.remove(node);
    run = null;
    tell();
  }

  /** Take up what is new, and drop the badges of what is gone or shows another picture now. */
  function look(mine) {
    const now = new Map();
    const skipped = new Map();
    for (const picture of find.all()) {
      const why = find.skipped(picture, mine.minSide);
      if (why) skipped.set(picture.element, why);
      else now.set(picture.element, picture);
    }
    mine.skipped = skipped;
    for (const [element, { node, key }] of mine.badges) {
      if (now.get(element)?.urls.join(" ") === key) continue;
      layer.remove(node);
      mine.badges.delete(element);
    }
    const isKnown = (element, key) => mine.badges.get(element)?.key === key || (mine.current?.element === element && mine.current.key === key);
    mine.waiting = new Map([...now].filter(([element, { urls }]) => !isKnown(element, urls.join(" "))).slice(0, MOST - mine.badges.size));
    work(mine);
  }

  async function work(mine) {
    if (mine.busy) return;
    mine.busy = true;
    while (run === mine && mine.waiting.size) {
      tell();
      const picture = nearest(mine.waiting);
      mine.waiting.delete(picture.element);
      const key = picture.urls.join(" ");
      mine.current = { element: picture.element, key };
      const answer = await read.check(picture.urls, mine.mode).catch((error) => ({ unread: String(error.message ?? error) }));
      if (run !== mine) return;
      if (answer.needs) mine.needs.add(answer.needs);
      mine.current = null;
      mine.badges.set(picture.element, { key, answer, node: badge(picture, answer, mine.words) });
    }
    mine.busy = false;
    tell();
  }

  /** The one in view, or the least far from it. */
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
    node.dataset.grade = record?.verdict?.grade ?? ""; // a weak one is light, in the colour that it leans to
    const text = document.createElement("span");
    text.textContent = record?.verdict ? headline : words[needs ? "needs" : "unread"];
    node.append(text);
    node.title = text.textContent;
    node.dir = words.dir;
    node.addEventListener("click", (event) => {
      event.preventDefault();
      event.stopPropagation();
      panel.show(picture);
    });
    return layer.add(node, picture.element, place);
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

  /** What the popup shows. `site`: whose pictures these are; `frames`: the other sites with a frame in this page. */
  function progress() {
    const site = /^https?:/.test(location.href) ? `${location.protocol}//${location.hostname}/*` : null;
    if (!run) return { site, running: false, checked: 0, waiting: 0, counts: {}, needs: [], frames: [], skipped: {} };
    const count = (values) => values.reduce((sums, value) => ({ ...sums, [value]: (sums[value] ?? 0) + 1 }), {});
    const answers = [...run.badges.values()].map(({ answer }) => answer);
    return {
      site, running: run.busy, on: true, checked: answers.length, waiting: run.waiting.size,
      counts: count(answers.map(({ record, needs }) => record?.verdict?.label ?? (needs ? "needs" : "unread"))),
      needs: [...run.needs], frames: find.foreignFrames(run.minSide), skipped: count([...run.skipped.values()]),
    };
  }

  /** The records so far, for a file of them: each with the address that was read, and without its heat map. */
  const records = () =>
    [...(run?.badges.values() ?? [])].filter(({ answer }) => answer.record).map(({ answer: { record: { heatmap, ...record }, url } }) => ({ ...record, address: url.slice(0, 2000) }));

  function tell() {
    chrome.runtime.sendMessage({ to: "popup" }).catch(() => {}); // no popup is open
  }

  return { start, stop, progress, records };
})();
