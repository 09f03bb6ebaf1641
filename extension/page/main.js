// What the background page and the popup ask of a page.

globalThis.imageprocess ??= {};

if (!imageprocess.listening) {
  imageprocess.listening = true;
  const { find, layer, panel, read, scan } = imageprocess;
  let pointed = null; // where the last right click was, on sites that are always checked

  addEventListener("contextmenu", ({ clientX, clientY }) => (pointed = { x: clientX, y: clientY, at: Date.now() }), true);

  async function show(src) {
    if (src) return panel.show(find.bySource(src));
    const recent = pointed && Date.now() - pointed.at < 30_000 ? find.at(pointed.x, pointed.y) : null;
    if (recent) return panel.show(recent);
    const picture = await pick();
    if (picture?.at) await inFrame(picture);
    else if (picture) await panel.show(picture);
  }

  /** This window's place among its page's frames, each an index among its parent's; [] for the page itself. */
  function pathOf(frame = window) {
    const path = [];
    for (; frame !== top; frame = frame.parent) path.unshift(Array.from(frame.parent.frames).indexOf(frame));
    return path;
  }

  /** What lies at a point of this window: a picture, a frame with the point in it {path, at}, or null. */
  function pointAt(x, y) {
    const picture = find.at(x, y);
    if (picture) return picture;
    const frame = document.elementsFromPoint(x, y).find((element) => element.matches("iframe, frame"));
    if (!frame) return null;
    const { left, top: upper } = frame.getBoundingClientRect();
    const path = [...pathOf(), Array.from(window.frames).indexOf(frame.contentWindow)];
    return { element: frame, path, at: { x: x - left - frame.clientLeft, y: y - upper - frame.clientTop } };
  }

  /** The frame knows what lies there, if the extension may look into it; else the panel asks for the permission. */
  async function inFrame({ element, path, at }) {
    if (await read.ask({ call: "pointInFrame", path, at })) return;
    if (/^https?:/.test(element.src)) await panel.show({ element, urls: [element.src], kind: "frame" });
  }

  /** Answers whether this window is the one that is meant. */
  function showAt({ path, at }) {
    if (JSON.stringify(pathOf()) !== JSON.stringify(path)) return false;
    const picture = pointAt(at.x, at.y);
    if (picture?.at) inFrame(picture);
    else if (picture) panel.show(picture);
    return true;
  }

  /** The picture that the user clicks on, or null: a layer over the page takes the click, so that no overlay does. */
  async function pick() {
    const cover = Object.assign(document.createElement("div"), { className: "picker" });
    const frame = Object.assign(document.createElement("div"), { className: "frame" });
    const hint = Object.assign(document.createElement("div"), { className: "hint" });
    frame.style.display = "none";
    [cover, frame].forEach((node) => layer.add(node));
    read.engine({ call: "setup" }).then(({ words }) => {
      if (cover.isConnected) layer.add(Object.assign(hint, { textContent: words.pick, dir: words.dir }));
    }); // the words may take longer than the click
    const done = new AbortController();
    const { signal } = done;
    const chosen = await new Promise((resolve) => {
      const below = ({ clientX, clientY }) => pointAt(clientX, clientY);
      cover.addEventListener("mousemove", (event) => {
        const box = below(event)?.element.getBoundingClientRect();
        frame.style.display = box ? "" : "none";
        if (box) Object.assign(frame.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px`, boxSizing: "border-box" });
      }, { signal });
      cover.addEventListener("click", (event) => resolve(below(event)), { signal });
      addEventListener("keydown", (event) => event.key === "Escape" && resolve(null), { capture: true, signal });
    });
    done.abort();
    [cover, frame, hint].forEach((node) => layer.remove(node));
    return chosen;
  }

  const calls = {
    show: ({ src }) => show(src),
    showForFrame: ({ picture }) => panel.show({ ...picture, element: find.frameAt(picture.at) }),
    scan: () => scan.start(),
    clear: () => scan.stop(),
  };
  const answered = { ...panel.calls, progress: () => scan.progress() };

  chrome.runtime.onMessage.addListener((message, sender, answer) => {
    if (sender.id !== chrome.runtime.id) return false;
    if (message.call === "showAt") {
      if (showAt(message)) answer(true); // the other windows stay silent
      return false;
    }
    if (Object.hasOwn(answered, message.call)) {
      Promise.resolve(answered[message.call](message)).then(answer, (error) => answer({ unread: String(error?.message ?? error) }));
      return true;
    }
    if (Object.hasOwn(calls, message.call)) {
      Promise.resolve(calls[message.call](message)).catch((error) => console.warn("imageprocess:", error));
      answer(null); // the work goes on
    }
    return false;
  });
}
