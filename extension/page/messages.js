// Handles messages to a page from the background script and the popup.

globalThis.imageprocess ??= {};

if (!imageprocess.listening) {
  imageprocess.listening = true;
  const { checker, overlay, panel, pictures, scan } = imageprocess;
  let lastRightClick = null; // {x, y, at}; known on sites that are always checked

  addEventListener("contextmenu", ({ clientX, clientY }) => (lastRightClick = { x: clientX, y: clientY, at: Date.now() }), true);

  async function show(src) {
    if (src) return panel.show(pictures.bySource(src));
    const recent = lastRightClick && Date.now() - lastRightClick.at < 30_000 ? pictures.at(lastRightClick.x, lastRightClick.y) : null;
    if (recent) return panel.show(recent);
    const picture = await pick();
    if (picture?.at) await showInFrame(picture);
    else if (picture) await panel.show(picture);
  }

  /** This window's path of frame indices from the top window; [] for the top window. */
  function pathOf(frame = window) {
    const path = [];
    for (; frame !== top; frame = frame.parent) path.unshift(Array.from(frame.parent.frames).indexOf(frame));
    return path;
  }

  /** At a point of this window: a picture, or a frame {element, path, at: the point within it}, or null. */
  function pointAt(x, y) {
    const picture = pictures.at(x, y);
    if (picture) return picture;
    const frame = document.elementsFromPoint(x, y).find((element) => element.matches("iframe, frame"));
    if (!frame) return null;
    const { left, top: upper } = frame.getBoundingClientRect();
    const path = [...pathOf(), Array.from(window.frames).indexOf(frame.contentWindow)];
    return { element: frame, path, at: { x: x - left - frame.clientLeft, y: y - upper - frame.clientTop } };
  }

  /** Show the picture at a point of a frame, or ask for permission if the frame is not accessible. */
  async function showInFrame({ element, path, at }) {
    if (await checker.callBackground({ call: "showInFrame", path, at })) return;
    if (/^https?:/.test(element.src)) await panel.show({ element, urls: [element.src], kind: "frame" });
  }

  /** Returns whether the message is for this window. */
  function showAt({ path, at }) {
    if (JSON.stringify(pathOf()) !== JSON.stringify(path)) return false;
    const picture = pointAt(at.x, at.y);
    if (picture?.at) showInFrame(picture);
    else if (picture) panel.show(picture);
    return true;
  }

  /** The picture that the user clicks, or null. A cover over the page receives the click instead of the page's overlays. */
  async function pick() {
    const cover = Object.assign(document.createElement("div"), { className: "picker" });
    const frame = Object.assign(document.createElement("div"), { className: "frame" });
    const hint = Object.assign(document.createElement("div"), { className: "hint" });
    frame.style.display = "none";
    [cover, frame].forEach((node) => overlay.add(node));
    checker.callEngine({ call: "setup" }).then(({ words }) => {
      if (cover.isConnected) overlay.add(Object.assign(hint, { textContent: words.pick, dir: words.dir }));
    }); // the texts may arrive after the click
    const done = new AbortController();
    const { signal } = done;
    const chosen = await new Promise((resolve) => {
      const targetAt = ({ clientX, clientY }) => pointAt(clientX, clientY);
      cover.addEventListener("mousemove", (event) => {
        const box = targetAt(event)?.element.getBoundingClientRect();
        frame.style.display = box ? "" : "none";
        if (box) Object.assign(frame.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px`, boxSizing: "border-box" });
      }, { signal });
      cover.addEventListener("click", (event) => resolve(targetAt(event)), { signal });
      addEventListener("keydown", (event) => event.key === "Escape" && resolve(null), { capture: true, signal });
    });
    done.abort();
    [cover, frame, hint].forEach((node) => overlay.remove(node));
    return chosen;
  }

  const calls = {
    show: ({ src }) => show(src),
    showPanelForFrame: ({ picture }) => panel.show({ ...picture, element: pictures.frameAt(picture.pageUrl) }),
    scan: () => scan.start(),
    clear: () => scan.stop(),
  };
  const callsWithResult = { ...panel.calls, progress: () => scan.progress() };

  chrome.runtime.onMessage.addListener((message, sender, sendResponse) => {
    if (sender.id !== chrome.runtime.id) return false;
    if (message.call === "showAt") {
      if (showAt(message)) sendResponse(true); // other windows do not respond
      return false;
    }
    if (Object.hasOwn(callsWithResult, message.call)) {
      Promise.resolve(callsWithResult[message.call](message)).then(sendResponse, (error) => sendResponse({ error: String(error?.message ?? error) }));
      return true;
    }
    if (Object.hasOwn(calls, message.call)) {
      Promise.resolve(calls[message.call](message)).catch((error) => console.warn("imageprocess:", error));
      sendResponse(null); // without waiting for the result
    }
    return false;
  });
}
