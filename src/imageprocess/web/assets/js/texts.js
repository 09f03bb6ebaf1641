// Every text, by key, from the language's files; {name} is filled in. Hebrew's are several, so that no page weighs more
// than it must: what all pages say, what index.html and docs.html add (home), and what other modules ask for.

export const language = document.documentElement.lang || "en";

const fetched = async (name) => (await fetch(new URL(`../texts/${name}.json`, import.meta.url))).json();
const isHome = document.querySelector("#samples, #calls") !== null;
const FIRST = [language, language !== "en" && isHome && `home.${language}`].filter(Boolean);
const TEXTS = Object.assign({}, ...(await Promise.all(FIRST.map(fetched))));

/** Add the texts of a part that is fetched later. */
export const addTexts = async (part) => Object.assign(TEXTS, await fetched(`${part}.${language}`));

// Else a full stop or colon between a Latin word and a number is read from left to right with them.
const directed = (text) => (document.dir === "rtl" ? text.replace(/(?<=[\w%}])[.:](?= |$)/g, "$&\u200f") : text);

/** The text of `key` with {placeholders} filled in; the key itself where there is no such text. */
export function t(key, values = {}) {
  return directed(TEXTS[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const has = (key) => key in TEXTS;

/** `key.one` or `key.other`, as the language counts. */
export function plural(key, count, values = {}) {
  const form = new Intl.PluralRules(language).select(count);
  return t(has(`${key}.${form}`) ? `${key}.${form}` : `${key}.other`, { count: number(count), ...values });
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The key of the sentence that says where pictures go. */
export const privacyOf = (inBrowser) =>
  inBrowser ? "privacy.browser" : LOOPBACK.has(location.hostname) ? "privacy.local" : "privacy.host";

/** 0.934 -> "93%". An estimate never shows 0% or 100%: that would promise more than any model can. */
export function percent(p, estimate = true, digits = 0) {
  const whole = new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
  const ltr = language === "he" ? "\u200e" : ""; // else the sign would stand behind the number
  if (estimate && p > 0.99) return `${ltr}>${whole.format(0.99)}`;
  if (estimate && p < 0.01) return `${ltr}<${whole.format(0.01)}`;
  return whole.format(p);
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

/** The page is written in English; in another language its marked texts are replaced, once. */
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
