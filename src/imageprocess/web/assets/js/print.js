// Prints a report of one card. Loaded on demand.

import { addStyle, byId, el } from "./dom.js";
import { addTexts, bytes, language, number, t } from "./i18n.js";

await Promise.all([addStyle("print.css"), addTexts("report")]);

/** Print one card with the identity of file and model, and nothing else of the page. */
export function printReport(item) {
  const { record, card } = item;
  const { format, width, height } = record.image;
  const facts = {
    name: record.source,
    sha256: record.sha256,
    mode: byId("mode").querySelector(`[value=${item.mode}]`).textContent,
    format: t("card.facts", { format, width: number(width), height: number(height), size: bytes(record.image.bytes) }),
  };
  const date = new Date().toLocaleString(language, { dateStyle: "long", timeStyle: "short" });
  const { name = "–", version = "", sha256 = "" } = record.model ?? {};
  const header = el(
    "div", { class: "report" },
    el("h2", {}, t("report.title")),
    el("dl", { class: "record" }, Object.entries(facts).flatMap(([key, value]) => [el("dt", {}, t(`report.${key}`)), el("dd", {}, value)])),
    el("p", { class: "hint" }, t("report.made", { date, model: t("model.line", { name, version, sha: sha256.slice(0, 12) }) })),
  );
  const collapsed = [...card.element.querySelectorAll("details:not([open])")];
  collapsed.forEach((details) => (details.open = true));
  card.element.prepend(header);
  card.element.classList.add("printed");
  document.body.classList.add("printing");
  addEventListener("afterprint", () => {
    header.remove();
    collapsed.forEach((details) => (details.open = false));
    card.element.classList.remove("printed");
    document.body.classList.remove("printing");
  }, { once: true });
  print();
}
