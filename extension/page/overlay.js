// The extension's elements over a page, in one element with a closed shadow root, isolated from the page's styles and
// scripts. Its children stay where their pictures are.

globalThis.imageprocess ??= {};

imageprocess.overlay ??= (() => {
  const STYLE = `
    :host { all: initial !important; position: absolute !important; inset: 0 auto auto 0 !important; width: 0 !important; height: 0 !important; z-index: 2147483647 !important; color-scheme: light dark; }
    .placed { position: absolute; }
    .placed[hidden] { display: none; }
    button.badge { all: unset; box-sizing: border-box; position: absolute; display: flex; gap: .35em; align-items: center; max-width: 100%; min-height: 24px; padding: 3px 9px 3px 7px; border-radius: 12px; font: 600 13px/1.3 system-ui, sans-serif; white-space: nowrap; cursor: pointer; color: light-dark(#16181d, #f1f1ee); background: light-dark(#fffffff2, #191b1ff2); border: 1.5px solid var(--tone); box-shadow: 0 1px 4px #0006; }
    button.badge:focus-visible { outline: 3px solid var(--tone); outline-offset: 2px; }
    .badge::before { content: ""; flex: none; width: 9px; height: 9px; background: var(--tone); border-radius: 50%; }
    .badge[data-label=ai]::before { border-radius: 1px; rotate: 45deg; }
    .badge[data-label=unsure]::before { background: none; box-shadow: inset 0 0 0 2.5px var(--tone); }
    .badge span { overflow: hidden; text-overflow: ellipsis; }
    [data-label=ai] { --tone: light-dark(#6d28d9, #b794ff); }
    [data-label=real] { --tone: light-dark(#0b7259, #4fd1ae); }
    [data-label=unsure] { --tone: light-dark(#8a5a00, #f0b85a); }
    [data-grade=leaning_ai] { --tone: light-dark(#6d28d9, #b794ff); font-weight: 450; }
    [data-grade=leaning_real] { --tone: light-dark(#0b7259, #4fd1ae); font-weight: 450; }
    [data-label=none] { --tone: light-dark(#5c606b, #a3a7b1); }
    iframe { all: unset; position: absolute; z-index: 1; outline: 1px solid light-dark(#d8d8d0, #3a3e47); width: 390px; max-width: calc(100vw - 16px); height: 220px; border-radius: 14px; box-shadow: 0 8px 40px #0007; background: light-dark(#fafaf7, #111215); color-scheme: light dark; }
    .picker { position: fixed; inset: 0; cursor: crosshair; }
    .frame { position: fixed; pointer-events: none; border: 3px solid #8b5cf6; border-radius: 6px; background: #8b5cf622; }
    .hint { position: fixed; inset: 12px auto auto 50%; translate: -50% 0; padding: 8px 16px; border-radius: 12px; font: 600 14px/1.4 system-ui, sans-serif; color: light-dark(#16181d, #f1f1ee); background: light-dark(#fffffff2, #191b1ff2); box-shadow: 0 2px 12px #0006; }
  `;
  let root = null;
  const positioned = new Map(); // node -> {element, place}
  let isScheduled = false;

  function ensureRoot() {
    if (root?.host.isConnected) return root;
    const host = document.createElement("div");
    host.dataset.imageprocess = "";
    const inner = host.attachShadow({ mode: "closed" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE); // not a style element, which the page's content security policy may forbid
    inner.adoptedStyleSheets = [sheet];
    if (root) inner.append(...root.childNodes); // the page removed the host element; frames in it reload
    root = inner;
    document.documentElement.append(host);
    return root;
  }

  /** Add `node`; `place(node, box of element, origin of the overlay)` positions it now and whenever the page changes. */
  function add(node, element = null, place = null) {
    ensureRoot().append(node);
    if (place) {
      positioned.set(node, { element, place });
      placeAll();
    }
    return node;
  }

  function remove(node) {
    positioned.delete(node);
    node.remove();
  }

  function placeAll() {
    isScheduled = false;
    if (!positioned.size) return;
    if (!root.host.isConnected) ensureRoot();
    const origin = root.host.getBoundingClientRect();
    const boxes = [...positioned].map(([node, { element, place }]) => ({ node, place, box: element?.isConnected ? element.getBoundingClientRect() : null }));
    for (const { node, place, box } of boxes) place(node, box, origin);
  }

  function schedulePlacing() {
    if (isScheduled || !positioned.size) return;
    isScheduled = true;
    requestAnimationFrame(placeAll);
  }

  addEventListener("scroll", schedulePlacing, { capture: true, passive: true });
  addEventListener("resize", schedulePlacing);
  document.addEventListener("load", schedulePlacing, true);
  new ResizeObserver(schedulePlacing).observe(document.documentElement);
  new MutationObserver(schedulePlacing).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style", "hidden"] });

  return { add, remove, schedulePlacing };
})();
