// Texts of the page in its language; {name} is a placeholder. Hebrew is split into several files, to keep pages small: texts
// of all pages, of index.html and docs.html (home), and of modules loaded on demand.

export const language = document.documentElement.lang || "en";

const fetchTexts = async (name) => (await fetch(new URL(`../texts/${name}.json`, import.meta.url))).json();
const isHome = document.querySelector("#samples, #calls") !== null;
const INITIAL = [language, language !== "en" && isHome && `home.${language}`].filter(Boolean);
const TEXTS = Object.assign({}, ...(await Promise.all(INITIAL.map(fetchTexts))));

/** Load the texts of a part that is needed on demand. */
export const addTexts = async (part) => Object.assign(TEXTS, await fetchTexts(`${part}.${language}`));

// Right-to-left mark after punctuation between a Latin word and a number, which would otherwise be laid out left to right.
const withDirectionMarks = (text) => (document.dir === "rtl" ? text.replace(/(?<=[\w%}])[.:](?= |$)/g, "$&\u200f") : text);

/** The text of `key` with {placeholders} filled in; the key itself if there is no such text. */
export function t(key, values = {}) {
  return withDirectionMarks(TEXTS[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const has = (key) => key in TEXTS;

/** The text of `key.one`, `key.other` etc. by the language's plural rules. */
export function plural(key, count, values = {}) {
  const form = new Intl.PluralRules(language).select(count);
  return t(has(`${key}.${form}`) ? `${key}.${form}` : `${key}.other`, { count: number(count), ...values });
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Key of the sentence that says where pictures are sent. */
export const privacyKey = (inBrowser) =>
  inBrowser ? "privacy.browser" : LOOPBACK.has(location.hostname) ? "privacy.local" : "privacy.host";

/** 0.934 -> "93%". Estimates never show 0% or 100%, because no model is that certain. */
export function percent(p, estimate = true, digits = 0) {
  const format = new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
  const ltr = language === "he" ? "\u200e" : ""; // keeps the sign before the number
  if (estimate && p > 0.99) return `${ltr}>${format.format(0.99)}`;
  if (estimate && p < 0.01) return `${ltr}<${format.format(0.01)}`;
  return format.format(p);
}

/** 3309090 -> "3,309,090". */
export const number = (value) => new Intl.NumberFormat(language).format(value);

/** 2170101 -> "2.2 MB". */
export function bytes(count) {
  const [unit, size] = count < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  const digits = count < 1e7 && unit === "megabyte" ? 1 : 0;
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: digits }).format(
    Math.max(count / size, 1 / 10 ** digits),
  );
}

/** Replace the page's English texts (data-t, data-t-label) in another language. */
function translate() {
  const page = document.documentElement;
  if (page.dataset.texts !== "waiting") return;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
  const other = document.getElementById("language");
  if (other) Object.assign(other, { href: "?lang=en", lang: "en", hreflang: "en", textContent: "English" });
  delete page.dataset.texts;
}

translate();
