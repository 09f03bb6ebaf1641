// The panel beside a picture: a page of the extension in a frame. It asks for its content over a port that only pages of
// the extension can open.

globalThis.imageprocess ??= {};

imageprocess.panel ??= (() => {
  const GAP = 8;
  const { layer, read } = imageprocess;
  let current = null; // {id, frame, picture, urls, port, before}

  /** Show the panel for `picture`, and check it. A frame leaves that to its page. */
  async function show(picture) {
    if (window !== top) {
      const { urls, kind } = picture;
      return void (await read.ask({ call: "showForFrame", picture: { urls, kind, at: location.href } }));
    }
    close();
    const { language } = await read.engine({ call: "setup" });
    const id = crypto.randomUUID();
    const frame = document.createElement("iframe");
    frame.src = chrome.runtime.getURL(`panel.html?lang=${language}#${id}`);
    frame.title = "imageprocess";
    current = { id, frame, picture, before: document.activeElement };
    layer.add(frame, picture.element, place);
  }

  /** Beside the picture where there is room, over it otherwise; in view when it opens. */
  function place(frame, box, origin) {
    if (frame !== current?.frame) return;
    const width = frame.offsetWidth;
    const height = frame.offsetHeight;
    const about = box ?? { left: innerWidth - width, right: innerWidth - width - GAP, top: GAP };
    const right = about.right + GAP;
    const left = about.left - GAP - width;
    const x = right + width <= innerWidth ? right : left >= 0 ? left : Math.max(GAP, innerWidth - width - GAP);
    current.shift ??= Math.min(0, innerHeight - height - GAP - about.top) + Math.max(0, GAP - about.top);
    frame.style.left = `${x - origin.left}px`;
    frame.style.top = `${Math.max(about.top + current.shift - origin.top, 0)}px`;
  }

  function close() {
    if (!current) return;
    layer.remove(current.frame);
    current.port?.disconnect();
    current.before?.focus?.({ preventScroll: true });
    current = null;
  }

  chrome.runtime.onConnect.addListener((port) => {
    if (port.name !== current?.id) return port.disconnect();
    current.port = port;
    const told = current;
    port.onMessage.addListener(({ call, height }) => {
      if (told !== current) return;
      if (call === "close") close();
      if (call === "check") check(told);
      if (call === "bytes") bytes(told);
      if (call === "height") {
        told.frame.style.height = `${Math.min(height, innerHeight - 2 * GAP)}px`;
        told.shift = undefined;
        layer.placeSoon();
      }
    });
    check(told);
  });

  async function check(told) {
    told.port.postMessage({ state: "running" });
    let answer;
    try {
      answer = await of(told.picture, { call: "check", urls: told.picture.urls });
      told.url = answer.url;
    } catch (error) {
      answer = { unread: String(error.message ?? error) };
    }
    const { kind, urls } = told.picture;
    if (told === current) told.port.postMessage({ state: "done", ...answer, kind, isLargest: answer.url === urls[0] && urls.length > 1, at: told.picture.at ?? location.href });
  }

  const calls = {
    check: async ({ urls }) => read.check(urls, (await read.settings()).mode),
    bytes: ({ url }) => read.here(url).catch(() => null),
  };

  /** Ask here, or in the frame where the picture is: only there can a blob: address be read. */
  const of = ({ frameId }, question) => (frameId ? read.ask({ call: "inFrame", frameId, question }) : calls[question.call](question));

  /** The picture's bytes for a report that is to contain it. */
  async function bytes({ port, url, picture }) {
    const data = await of(picture, { call: "bytes", url }); // else the panel reads the address itself
    port.postMessage({ state: "bytes", data: data ?? url });
  }

  addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  }, true);

  return { show, close, calls };
})();
