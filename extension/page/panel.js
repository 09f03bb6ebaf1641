// Shows the panel beside a picture: an extension page in a frame, which gets its content over a port that only extension
// pages can open.

globalThis.imageprocess ??= {};

imageprocess.panel ??= (() => {
  const GAP = 8;
  const { checker, overlay } = imageprocess;
  let current = null; // {id, frame, picture, url, port, previousFocus}

  /** Show the panel for `picture` and check it. In a frame, its page does so. */
  async function show(picture) {
    if (window !== top) {
      const { urls, kind } = picture;
      return void (await checker.callBackground({ call: "showPanelForFrame", picture: { urls, kind, pageUrl: location.href } }));
    }
    close();
    const { language } = await checker.callEngine({ call: "setup" });
    const id = crypto.randomUUID();
    const frame = document.createElement("iframe");
    frame.src = chrome.runtime.getURL(`panel.html?lang=${language}#${id}`);
    frame.title = "imageprocess";
    current = { id, frame, picture, previousFocus: document.activeElement };
    overlay.add(frame, picture.element, place);
  }

  /** Position the panel beside the picture if there is space, else over it; in view when it opens. */
  function place(frame, box, origin) {
    if (frame !== current?.frame) return;
    const width = frame.offsetWidth;
    const height = frame.offsetHeight;
    const anchor = box ?? { left: innerWidth - width, right: innerWidth - width - GAP, top: GAP };
    const right = anchor.right + GAP;
    const left = anchor.left - GAP - width;
    const x = right + width <= innerWidth ? right : left >= 0 ? left : Math.max(GAP, innerWidth - width - GAP);
    current.shift ??= Math.min(0, innerHeight - height - GAP - anchor.top) + Math.max(0, GAP - anchor.top);
    frame.style.left = `${x - origin.left}px`;
    frame.style.top = `${Math.max(anchor.top + current.shift - origin.top, 0)}px`;
  }

  function close() {
    if (!current) return;
    overlay.remove(current.frame);
    current.port?.disconnect();
    current.previousFocus?.focus?.({ preventScroll: true });
    current = null;
  }

  chrome.runtime.onConnect.addListener((port) => {
    if (port.name !== current?.id) return port.disconnect();
    current.port = port;
    const panelState = current;
    port.onMessage.addListener(({ call, height }) => {
      if (panelState !== current) return;
      if (call === "close") close();
      if (call === "check") check(panelState);
      if (call === "bytes") sendBytes(panelState);
      if (call === "height") {
        panelState.frame.style.height = `${Math.min(height, innerHeight - 2 * GAP)}px`;
        panelState.shift = undefined;
        overlay.schedulePlacing();
      }
    });
    check(panelState);
  });

  async function check(panelState) {
    panelState.port.postMessage({ state: "running" });
    let result;
    try {
      result = await callOwner(panelState.picture, { call: "check", urls: panelState.picture.urls });
      panelState.url = result.url;
    } catch (error) {
      result = { error: String(error.message ?? error) };
    }
    const { kind, urls } = panelState.picture;
    if (panelState === current) panelState.port.postMessage({ state: "done", ...result, kind, isLargest: result.url === urls[0] && urls.length > 1, pageUrl: panelState.picture.pageUrl ?? location.href });
  }

  const calls = {
    check: async ({ urls }) => checker.check(urls, (await checker.settings()).mode),
    bytes: ({ url }) => checker.fetchAsDataUrl(url).catch(() => null),
  };

  /** Run a call here or in the picture's frame, which alone can read its blob: URLs. */
  const callOwner = ({ frameId }, request) => (frameId ? checker.callBackground({ call: "forwardToFrame", frameId, request }) : calls[request.call](request));

  /** Send the picture's bytes, for a report that includes it. */
  async function sendBytes({ port, url, picture }) {
    const data = await callOwner(picture, { call: "bytes", url }); // if null, the panel fetches the URL itself
    port.postMessage({ state: "bytes", data: data ?? url });
  }

  addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  }, true);

  return { show, close, calls };
})();
