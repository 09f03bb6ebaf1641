// What the extension draws over a page: one element with a closed shadow root, out of reach of the page's style and
// scripts, whose children stay where their pictures are.

globalThis.imageprocess ??= {};

imageprocess.layer ??= (() => {
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
  const placed = new Map(); // node -> {element, place}
  let waiting = false;

  function open() {
    if (root?.host.isConnected) return root;
    const host = document.createElement("div");
    host.dataset.imageprocess = "";
    const inner = host.attachShadow({ mode: "closed" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE); // no style element: a page's policy may forbid them
    inner.adoptedStyleSheets = [sheet];
    if (root) inner.append(...root.childNodes); // the page took the layer out, its frames start anew
    root = inner;
    document.documentElement.append(host);
    return root;
  }

  /** Add `node`, kept in place by `place(box of element, origin of the layer)`. */
  function add(node, element = null, place = null) {
    open().append(node);
    if (place) {
      placed.set(node, { element, place });
      placeAll();
    }
    return node;
  }

  function remove(node) {
    placed.delete(node);
    node.remove();
  }

  function placeAll() {
    waiting = false;
    if (!placed.size) return;
    if (!root.host.isConnected) open();
    const origin = root.host.getBoundingClientRect();
    const boxes = [...placed].map(([node, { element, place }]) => ({ node, place, box: element?.isConnected ? element.getBoundingClientRect() : null }));
    for (const { node, place, box } of boxes) place(node, box, origin);
  }

  function placeSoon() {
    if (waiting || !placed.size) return;
    waiting = true;
    requestAnimationFrame(placeAll);
  }

  addEventListener("scroll", placeSoon, { capture: true, passive: true });
  addEventListener("resize", placeSoon);
  document.addEventListener("load", placeSoon, true);
  new ResizeObserver(placeSoon).observe(document.documentElement);
  new MutationObserver(placeSoon).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style", "hidden"] });

  return { add, remove, placeSoon };
})();
