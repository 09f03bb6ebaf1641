// All results as one table, fetched with the first result: sorted by any column, filtered by grade, each row leading to
// its card and taking a mark in a review.

import { drawing, toneOf } from "./answer.js";
import { addStyle, byId, el, icon } from "./dom.js";
import { fillFilter, isWanted, markCell, markHead, wireReview } from "./review.js";
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
let shown = []; // the items of the last call

await addStyle("review.css");
wireHeads();
wireReview(() => shown, showAgain);

/** Show the items that have a record, as far as the filter lets them. Rows are made once an item and record. */
export function showTable(items) {
  shown = items;
  const done = items.filter((item) => item.record);
  fillFilter(done);
  const wanted = done.filter(isWanted);
  if (sorted.column) {
    const value = COLUMNS[sorted.column];
    const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
    wanted.sort((a, b) => (sorted.up ? order(a, b) : order(b, a)));
  }
  for (const item of wanted) {
    if (item.row?.record !== item.record) item.row = { record: item.record, element: row(item) };
  }
  byId("results").hidden = done.length === 0;
  const rows = wanted.map((item) => item.row.element);
  const same = rows.length === byId("rows").children.length && rows.every((element, place) => element === byId("rows").children[place]);
  if (!same) byId("rows").replaceChildren(...rows); // else whoever reviews would lose the focus
}

function showAgain() {
  showTable(shown);
}

function wireHeads() {
  const heads = document.querySelectorAll("th[data-column]");
  for (const head of heads) {
    const button = el("button", { type: "button", class: "sort" }, t(`table.${head.dataset.column}`), icon("sort"));
    button.addEventListener("click", () => {
      const { column } = head.dataset;
      sorted = { column, up: sorted.column === column ? !sorted.up : true };
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
      showAgain();
    });
    head.replaceChildren(button);
  }
  heads[1].after(markHead());
}

function row(item) {
  const { name, file, record, card, limit } = item;
  const { verdict, image } = record;
  const broken = record.status === "error";
  const estimate = verdict?.decided_by === "model" || verdict?.decided_by === "abstain";
  return el(
    "tr", toneOf(record),
    el("th", { scope: "row" }, el("a", { href: `#${card.element.id}` }, card.thumb, el("bdi", {}, name))),
    el("td", { class: "verdict" }, drawing(record), headline(record)),
    markCell(item),
    el("td", { class: "number" }, broken || verdict.probability_ai === null ? "–" : percent(verdict.probability_ai, estimate)),
    el("td", {}, broken ? failure(record.error, { limit, size: file.size }) : t(`decided.${verdict.decided_by}`)),
    el("td", { class: "number" }, el("bdi", { dir: "ltr" }, broken ? "–" : `${number(image.width)} × ${number(image.height)}`)),
  );
}
