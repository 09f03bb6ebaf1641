// The pictures of a page: images with their largest candidate, CSS backgrounds, posters, pictures below an overlay.

globalThis.imageprocess ??= {};

imageprocess.find ??= (() => {
  const MAX_ELEMENTS = 20_000; // looked at for backgrounds on one page
  const MIN_NATURAL = 32; // pixels; smaller ones are trackers and spacers, however large they are shown

  /** A srcset's candidates as the HTML standard splits them: [{url, unit: "w" | "x", size}]. */
  function parseSrcset(text) {
    const found = [];
    for (let rest = text ?? ""; (rest = rest.replace(/^[\s,]+/, "")); ) {
      let url = /^\S+/.exec(rest)[0];
      rest = rest.slice(url.length);
      let descriptor = "";
      if (url.endsWith(",")) url = url.replace(/,+$/, "");
      else {
        descriptor = /^[^,(]*(?:\([^)]*\)[^,(]*)*/.exec(rest)[0];
        rest = rest.slice(descriptor.length);
      }
      const [, size, unit] = /([\d.]+)([wx])/.exec(descriptor) ?? [null, 1, "x"];
      found.push({ url, unit, size: Number(size) });
    }
    return found;
  }

  /** The addresses of an image, the largest candidate first, what is shown last. */
  function addresses(img) {
    const shown = img.currentSrc || img.src;
    const sources = [...(img.closest("picture")?.querySelectorAll("source") ?? [])].filter(({ media }) => !media || matchMedia(media).matches);
    const candidates = [img, ...sources].flatMap(({ srcset }) => parseSrcset(srcset));
    const unit = candidates.some((candidate) => candidate.unit === "w") ? "w" : "x"; // the two cannot be compared
    const largest = candidates.filter((candidate) => candidate.unit === unit).sort((a, b) => b.size - a.size)[0];
    return [...new Set([largest && absolute(largest.url), shown].filter(Boolean))];
  }

  function absolute(url) {
    try {
      return new URL(url, document.baseURI).href;
    } catch {
      return null;
    }
  }

  const BACKGROUND = /url\((?:"((?:[^"\\]|\\.)*)"|([^)"]*))\)/g;

  /** Addresses of an element's background and of its pseudo-elements', as computed style writes them. */
  const backgrounds = (element) =>
    [null, "::before", "::after"].flatMap((pseudo) => {
      const image = getComputedStyle(element, pseudo).backgroundImage;
      if (!image.includes("url(")) return [];
      return [...image.matchAll(BACKGROUND)].map(([, quoted, bare]) => absolute((quoted ?? bare).replace(/\\(.)/g, "$1"))).filter(Boolean);
    });

  /** {element, urls, kind} where an element shows a picture, or null. */
  function pictureOf(element) {
    if (element instanceof HTMLImageElement || (element instanceof HTMLInputElement && element.type === "image")) {
      const urls = addresses(element);
      return urls.length ? { element, urls, kind: "image" } : null;
    }
    if (element instanceof HTMLVideoElement && element.poster) return { element, urls: [element.poster], kind: "poster" };
    if (element instanceof SVGImageElement) return { element, urls: [absolute(element.href.baseVal)].filter(Boolean), kind: "image" };
    const urls = backgrounds(element);
    return urls.length ? { element, urls: urls.slice(0, 1), kind: "background" } : null;
  }

  /** Every element, those in open shadow roots too. */
  function* elements(root = document) {
    for (const element of root.querySelectorAll("*")) {
      yield element;
      const inner = chrome.dom?.openOrClosedShadowRoot?.(element) ?? element.shadowRoot;
      if (inner && !element.matches("[data-imageprocess]")) yield* elements(inner);
    }
  }

  const isDrawing = (url) => /^data:image\/svg/i.test(url) || /\.svgz?$/i.test(url.split(/[?#]/)[0]);

  /** Why a picture is not looked at in a scan, or null. */
  function skipped({ element, urls }, minSide) {
    if (!element.isConnected) return "hidden";
    const { width, height } = element.getBoundingClientRect();
    if (Math.min(width, height) < minSide || !element.checkVisibility()) return "small";
    if (element instanceof HTMLImageElement && element.complete && urls.length === 1) {
      if (!element.naturalWidth) return isDrawing(urls[0]) ? "drawing" : "broken";
      if (!isDrawing(urls[0]) && Math.min(element.naturalWidth, element.naturalHeight) < MIN_NATURAL) return "small";
    }
    return isDrawing(urls[0]) ? "drawing" : null;
  }

  /** All pictures of the page, for a scan. */
  function all() {
    const found = [];
    let left = MAX_ELEMENTS;
    for (const element of elements()) {
      if (left-- <= 0) break;
      const picture = pictureOf(element);
      if (picture) found.push(picture);
    }
    return found;
  }

  /** The match patterns of the other sites whose frames the page shows. */
  function foreignFrames(minSide) {
    const found = new Set();
    for (const frame of document.querySelectorAll("iframe[src], frame[src]")) {
      const { width, height } = frame.getBoundingClientRect();
      if (Math.min(width, height) < minSide || !frame.checkVisibility() || !/^https?:/.test(frame.src)) continue;
      const url = new URL(frame.src);
      if (url.origin !== location.origin) found.add(`${url.protocol}//${url.hostname}/*`);
    }
    return [...found];
  }

  /** The frame that shows the page at `address`, or null where that cannot be told. */
  function frameAt(address) {
    const frames = [...document.querySelectorAll("iframe, frame")];
    return frames.find(({ src }) => src === address) ?? null;
  }

  /** The picture at a point of the window, below whatever lies over it; null where there is none. */
  function at(x, y) {
    const below = (root) =>
      root.elementsFromPoint(x, y).flatMap((element) => {
        const inner = element.shadowRoot;
        return inner && inner !== root && !element.matches("[data-imageprocess]") ? [...below(inner), element] : [element];
      });
    for (const element of below(document)) {
      const picture = pictureOf(element);
      if (picture && !isDrawing(picture.urls[0])) return picture;
    }
    return null;
  }

  /** The element that shows `src`: the one under the pointer, else one in view, else any. */
  function bySource(src) {
    const shown = all().filter(({ element, urls }) => urls.includes(src) || element.currentSrc === src || element.src === src);
    const inView = ({ element }) => {
      const box = element.getBoundingClientRect();
      return box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    };
    return shown.find(({ element }) => element.matches(":hover")) ?? shown.find(inView) ?? shown[0] ?? { element: null, urls: [src], kind: "image" };
  }

  return { parseSrcset, all, at, bySource, foreignFrames, frameAt, skipped };
})();
