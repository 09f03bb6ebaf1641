// The table of all results, loaded with the first result: sortable by every column, filtered by grade, linked to the cards,
// with buttons for a review.

import { verdictAttributes, verdictIcon } from "./verdict-view.js";
import { addStyle, byId, el, icon } from "./dom.js";
import { fillFilter, matchesFilter, markCell, markHead, wireReview } from "./review.js";
import { number, percent, t } from "./i18n.js";
import { GRADES, failure, gradeOf, headline } from "./wording.js";

const COLUMNS = {
  source: ({ name }) => name.toLocaleLowerCase(),
  verdict: ({ record }) => (record.verdict ? GRADES.indexOf(gradeOf(record)) : GRADES.length), // errors last
  probability: ({ record }) => record.verdict?.probability_ai ?? -1,
  decided: ({ record }) => (record.verdict ? t(`decided.${record.verdict.decided_by}`) : "\uffff"),
  size: ({ record }) => (record.image ? record.image.width * record.image.height : -1),
};

let sorting = { column: null, ascending: true }; // null: in input order
let items = []; // the items of the last call

await addStyle("review.css");
wireHeads();
wireReview(() => items, update);

/** Show the items that have a record and match the filter. Rows are created once per item and record. */
export function showTable(allItems) {
  items = allItems;
  const done = items.filter((item) => item.record);
  fillFilter(done);
  const matching = done.filter(matchesFilter);
  if (sorting.column) {
    const value = COLUMNS[sorting.column];
    const compare = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
    matching.sort((a, b) => (sorting.ascending ? compare(a, b) : compare(b, a)));
  }
  for (const item of matching) {
    if (item.row?.record !== item.record) item.row = { record: item.record, element: row(item) };
  }
  byId("results").hidden = done.length === 0;
  const rows = matching.map((item) => item.row.element);
  const same = rows.length === byId("rows").children.length && rows.every((element, place) => element === byId("rows").children[place]);
  if (!same) byId("rows").replaceChildren(...rows); // replacing the rows would lose the focus during a review
}

function update() {
  showTable(items);
}

function wireHeads() {
  const heads = document.querySelectorAll("th[data-column]");
  for (const head of heads) {
    const button = el("button", { type: "button", class: "sort" }, t(`table.${head.dataset.column}`), icon("sort"));
    button.addEventListener("click", () => {
      const { column } = head.dataset;
      sorting = { column, ascending: sorting.column === column ? !sorting.ascending : true };
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sorting.ascending ? "ascending" : "descending");
      update();
    });
    head.replaceChildren(button);
  }
  heads[1].after(markHead());
}

function row(item) {
  const { name, file, record, card, limit } = item;
  const { verdict, image } = record;
  const failed = record.status === "error";
  const isEstimate = verdict?.decided_by === "model" || verdict?.decided_by === "abstain";
  return el(
    "tr", verdictAttributes(record),
    el("th", { scope: "row" }, el("a", { href: `#${card.element.id}` }, card.thumb, el("bdi", {}, name))),
    el("td", { class: "verdict" }, verdictIcon(record), headline(record)),
    markCell(item),
    el("td", { class: "number" }, failed || verdict.probability_ai === null ? "–" : percent(verdict.probability_ai, isEstimate)),
    el("td", {}, failed ? failure(record.error, { limit, size: file.size }) : t(`decided.${verdict.decided_by}`)),
    el("td", { class: "number" }, el("bdi", { dir: "ltr" }, failed ? "–" : `${number(image.width)} × ${number(image.height)}`)),
  );
}
