// All results as one table: sorted by any column, each row leading to its card.

import { drawing, toneOf } from "./answer.js";
import { byId, el, icon } from "./dom.js";
import { number, percent, t } from "./texts.js";
import { GRADES, failure, gradeOf, headline } from "./wording.js";

const COLUMNS = {
  source: ({ name }) => name.toLocaleLowerCase(),
  verdict: ({ record }) => (record.verdict ? GRADES.indexOf(gradeOf(record)) : GRADES.length), // failed ones last
  probability: ({ record }) => record.verdict?.probability_ai ?? -1,
  decided: ({ record }) => (record.verdict ? t(`decided.${record.verdict.decided_by}`) : "\uffff"),
  size: ({ record }) => (record.image ? record.image.width * record.image.height : -1),
};

let sorted = { column: null, up: true }; // null: the order in which they came

/** Show the items that have a record. Rows are made once an item and record. */
export function showTable(items) {
  const done = items.filter((item) => item.record);
  if (sorted.column) {
    const value = COLUMNS[sorted.column];
    const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
    done.sort((a, b) => (sorted.up ? order(a, b) : order(b, a)));
  }
  for (const item of done) {
    if (item.row?.record !== item.record) item.row = { record: item.record, element: row(item) };
  }
  byId("results").hidden = done.length === 0;
  byId("rows").replaceChildren(...done.map((item) => item.row.element));
}

/** Make the column heads buttons. `items()`: what is to be shown again. */
export function wireTable(items) {
  for (const head of document.querySelectorAll("th[data-column]")) {
    const button = el("button", { type: "button", class: "sort" }, t(`table.${head.dataset.column}`), icon("sort"));
    button.addEventListener("click", () => {
      const { column } = head.dataset;
      sorted = { column, up: sorted.column === column ? !sorted.up : true };
      for (const other of document.querySelectorAll("th[data-column]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
      showTable(items());
    });
    head.replaceChildren(button);
  }
}

function row({ name, file, record, card, limit }) {
  const { verdict, image } = record;
  const broken = record.status === "error";
  const estimate = verdict?.decided_by === "model" || verdict?.decided_by === "abstain";
  return el(
    "tr", toneOf(record),
    el("th", { scope: "row" }, el("a", { href: `#${card.element.id}` }, card.thumb, el("bdi", {}, name))),
    el("td", { class: "verdict" }, drawing(record), headline(record)),
    el("td", { class: "number" }, broken || verdict.probability_ai === null ? "–" : percent(verdict.probability_ai, estimate)),
    el("td", {}, broken ? failure(record.error, { limit, size: file.size }) : t(`decided.${verdict.decided_by}`)),
    el("td", { class: "number" }, el("bdi", { dir: "ltr" }, broken ? "–" : `${number(image.width)} × ${number(image.height)}`)),
  );
}
