// Finds the pictures of a page: images with their largest candidate, CSS backgrounds, video posters, pictures below overlays.

globalThis.imageprocess ??= {};

imageprocess.pictures ??= (() => {
  const MAX_ELEMENTS = 20_000; // examined on one page
  const MIN_NATURAL = 32; // pixels; smaller ones are trackers and spacers

  /** Candidates of a srcset attribute, parsed as in the HTML standard: [{url, unit: "w" | "x", size}]. */
  function parseSrcset(text) {
    const candidates = [];
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
      candidates.push({ url, unit, size: Number(size) });
    }
    return candidates;
  }

  /** URLs of an image: the largest candidate first, the displayed one last. */
  function addresses(img) {
    const displayed = img.currentSrc || img.src;
    const sources = [...(img.closest("picture")?.querySelectorAll("source") ?? [])].filter(({ media }) => !media || matchMedia(media).matches);
    const candidates = [img, ...sources].flatMap(({ srcset }) => parseSrcset(srcset));
    const unit = candidates.some((candidate) => candidate.unit === "w") ? "w" : "x"; // the units cannot be compared
    const largest = candidates.filter((candidate) => candidate.unit === unit).sort((a, b) => b.size - a.size)[0];
    return [...new Set([largest && absolute(largest.url), displayed].filter(Boolean))];
  }

  function absolute(url) {
    try {
      return new URL(url, document.baseURI).href;
    } catch {
      return null;
    }
  }

  const BACKGROUND = /url\((?:"((?:[^"\\]|\\.)*)"|([^)"]*))\)/g;

  /** URLs of the background images of an element and its pseudo-elements. */
  const backgrounds = (element) =>
    [null, "::before", "::after"].flatMap((pseudo) => {
      const image = getComputedStyle(element, pseudo).backgroundImage;
      if (!image.includes("url(")) return [];
      return [...image.matchAll(BACKGROUND)].map(([, quoted, bare]) => absolute((quoted ?? bare).replace(/\\(.)/g, "$1"))).filter(Boolean);
    });

  /** {element, urls, kind} if an element shows a picture, else null. */
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

  /** All elements, including those in shadow roots. */
  function* elements(root = document) {
    for (const element of root.querySelectorAll("*")) {
      yield element;
      const inner = chrome.dom?.openOrClosedShadowRoot?.(element) ?? element.shadowRoot;
      if (inner && !element.matches("[data-imageprocess]")) yield* elements(inner);
    }
  }

  const isSvg = (url) => /^data:image\/svg/i.test(url) || /\.svgz?$/i.test(url.split(/[?#]/)[0]);

  /** The reason to skip a picture in a scan, or null. */
  function skipReason({ element, urls }, minSide) {
    if (!element.isConnected) return "hidden";
    const { width, height } = element.getBoundingClientRect();
    if (Math.min(width, height) < minSide || !element.checkVisibility()) return "small";
    if (element instanceof HTMLImageElement && element.complete && urls.length === 1) {
      if (!element.naturalWidth) return isSvg(urls[0]) ? "drawing" : "broken";
      if (!isSvg(urls[0]) && Math.min(element.naturalWidth, element.naturalHeight) < MIN_NATURAL) return "small";
    }
    return isSvg(urls[0]) ? "drawing" : null;
  }

  /** All pictures of the page. */
  function all() {
    const pictures = [];
    let remaining = MAX_ELEMENTS;
    for (const element of elements()) {
      if (remaining-- <= 0) break;
      const picture = pictureOf(element);
      if (picture) pictures.push(picture);
    }
    return pictures;
  }

  /** Match patterns of other sites that have visible frames in the page. */
  function foreignFrames(minSide) {
    const patterns = new Set();
    for (const frame of document.querySelectorAll("iframe[src], frame[src]")) {
      const { width, height } = frame.getBoundingClientRect();
      if (Math.min(width, height) < minSide || !frame.checkVisibility() || !/^https?:/.test(frame.src)) continue;
      const url = new URL(frame.src);
      if (url.origin !== location.origin) patterns.add(`${url.protocol}//${url.hostname}/*`);
    }
    return [...patterns];
  }

  /** The frame element with the address `address`, or null. */
  function frameAt(address) {
    const frames = [...document.querySelectorAll("iframe, frame")];
    return frames.find(({ src }) => src === address) ?? null;
  }

  /** The picture at a point of the window, also below overlays; or null. */
  function at(x, y) {
    const elementsAt = (root) =>
      root.elementsFromPoint(x, y).flatMap((element) => {
        const inner = element.shadowRoot;
        return inner && inner !== root && !element.matches("[data-imageprocess]") ? [...elementsAt(inner), element] : [element];
      });
    for (const element of elementsAt(document)) {
      const picture = pictureOf(element);
      if (picture && !isSvg(picture.urls[0])) return picture;
    }
    return null;
  }

  /** The picture that shows `src`: the one under the pointer, else one in view, else any. */
  function bySource(src) {
    const displayed = all().filter(({ element, urls }) => urls.includes(src) || element.currentSrc === src || element.src === src);
    const inView = ({ element }) => {
      const box = element.getBoundingClientRect();
      return box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    };
    return displayed.find(({ element }) => element.matches(":hover")) ?? displayed.find(inView) ?? displayed[0] ?? { element: null, urls: [src], kind: "image" };
  }

  return { parseSrcset, all, at, bySource, foreignFrames, frameAt, skipReason };
})();
