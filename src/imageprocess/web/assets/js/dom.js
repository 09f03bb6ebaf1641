// DOM helpers. Text is always inserted as text, never as markup, so nothing from a file or the server is executed.

/** @type {(id: string) => any} */
export const byId = (id) => document.getElementById(id);

/** el("p", {class: "hint", onclick: f}, "text", child). Attributes and children that are null, undefined or false are omitted. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Load a stylesheet on demand; resolves when it is applied or has failed. */
export const addStyle = (name) =>
  new Promise((done) => document.head.append(el("link", { rel: "stylesheet", href: `assets/${name}`, onload: done, onerror: done })));

const SVG = "http://www.w3.org/2000/svg";

/** An icon of icons.svg in the text colour. Decorative: always accompanied by text. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `assets/icons.svg#${name}`);
  svg.append(use);
  return svg;
}
