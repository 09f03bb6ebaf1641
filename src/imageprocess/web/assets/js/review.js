// Going through the answers: filtered by grade, each marked as right or wrong, and what was marked saved as a zip that
// `imageprocess data import` reads. A mark says what the picture is, so that it stays when another setting judges anew.

import { byId, el } from "./dom.js";
import { addTexts, number, plural, t } from "./texts.js";
import { GRADES, gradeOf } from "./wording.js";

const KEYS = { 1: 0, 2: 1 }; // which of a row's two buttons
const OTHER = { ai: "real", real: "ai" };

await addTexts("review"); // before what is named below

let wanted = ""; // a grade, "failed", or "" for all
const filter = el("select", { id: "filter", "aria-label": t("review.filter"), onchange: () => choose(filter.value) });
const tally = el("p", { class: "hint", role: "status", id: "marked" });
const save = el("button", { type: "button", id: "save-marks", class: "button", onclick: saveMarks }, t("review.save"));
const problem = el("p", { class: "warning", role: "alert", id: "marks-problem", hidden: true });
let items = () => [];
let changed = () => {};

const gradeOrFailed = ({ record }) => (record.verdict ? gradeOf(record) : "failed");

/** Which side the answer is on: "ai", "real", or null where it is on neither. */
export const sideOf = ({ record }) => (record.verdict && /_(ai|real)$/.exec(gradeOf(record))?.[1]) || null;

/** What the mark says of the answer: "agree" or "disagree"; "told" where the answer was on neither side. */
export const markOf = (item) => (!sideOf(item) ? "told" : item.truth === sideOf(item) ? "agree" : "disagree");

export const isWanted = (item) => !wanted || gradeOrFailed(item) === wanted;

export const markHead = () => el("th", { scope: "col", class: "mark" }, t("review.mark"));

/** `given()`: the items; `show()`: show the table again. */
export function wireReview(given, show) {
  [items, changed] = [given, show];
  const panel = el("div", { id: "review", class: "review", hidden: true }, el("p", {}, t("review.lead")), el("p", { class: "hint" }, t("review.keys")), el("p", { class: "row" }, save, tally), problem);
  const toggle = el("button", { type: "button", id: "review-on", class: "button plain", "aria-expanded": "false", "aria-controls": "review" }, t("review"));
  toggle.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    toggle.setAttribute("aria-expanded", !panel.hidden);
    byId("results").classList.toggle("reviewing", !panel.hidden);
    count();
  });
  byId("results-title").after(filter, toggle);
  byId("results-title").parentElement.after(panel);
  byId("rows").addEventListener("keydown", press);
}

/** The grades that there are, each with its count. */
export function fillFilter(done) {
  const grades = [...GRADES, "failed"].map((grade) => [grade, done.filter((item) => gradeOrFailed(item) === grade).length]).filter(([, many]) => many);
  if (!grades.some(([grade]) => grade === wanted)) wanted = "";
  const nameOf = (grade) => t(grade === "failed" ? "verdict.error" : `grade.${grade}`);
  const options = [["", t("review.all"), done.length], ...grades.map(([grade, many]) => [grade, nameOf(grade), many])];
  const told = JSON.stringify([wanted, options]);
  if (filter.dataset.told !== told) filter.replaceChildren(...options.map(([value, name, many]) => el("option", { value, selected: value === wanted }, `${name} (${number(many)})`)));
  filter.dataset.told = told; // replaced without need, an open list would close
  filter.hidden = grades.length < 2;
  count(done);
}

function choose(grade) {
  wanted = grade;
  changed();
}

/** Two buttons: agree and disagree, or the two sides where the answer is on neither. */
export function markCell(item) {
  const cell = el("td", { class: "mark" });
  if (!item.record.verdict) return cell;
  const side = sideOf(item);
  const choices = side ? [["agree", side], ["disagree", OTHER[side]]] : [["ai", "ai"], ["real", "real"]];
  const buttons = choices.map(([key, truth], place) => {
    const label = t(`review.${key}`);
    return el("button", { type: "button", class: "mark-as", "data-truth": truth, "aria-label": `${label}: ${item.name}`, "aria-keyshortcuts": place + 1, onclick: () => mark(truth) }, label);
  });
  const show = () => buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.truth === item.truth));
  const mark = (truth) => {
    item.truth = item.truth === truth ? undefined : truth; // pressed again: taken back
    show();
    count();
  };
  show();
  cell.append(...buttons);
  return cell;
}

/** 1 and 2 press the buttons of the row that has the focus; the arrows go to the next row. */
function press(event) {
  const row = event.target.closest("tr");
  if (byId("review").hidden || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key in KEYS) row.querySelectorAll(".mark-as")[KEYS[event.key]]?.click();
  else if (step) focusRow([...byId("rows").children], row, step);
  else return;
  event.preventDefault();
}

/** The next row that can be marked. */
function focusRow(rows, row, step) {
  for (let place = rows.indexOf(row) + step; rows[place]; place += step) {
    const button = rows[place].querySelector(".mark-as[aria-pressed=true], .mark-as");
    if (button) return button.focus();
  }
}

const markedOf = (all) => all.filter((item) => item.record?.verdict && item.truth);

function count(all = items()) {
  const marked = markedOf(all);
  const agreed = marked.filter((item) => markOf(item) === "agree").length;
  const wrong = marked.filter((item) => markOf(item) === "disagree").length;
  tally.textContent = marked.length ? plural("review.marked", marked.length, { agreed: number(agreed), wrong: number(wrong) }) : t("review.none");
  save.disabled = !marked.length;
  const both = new Set(marked.map((item) => item.truth)).size === 2;
  if (marked.length && !both) tally.textContent += ` ${t("review.one-side")}`;
}

async function saveMarks() {
  problem.hidden = true;
  save.disabled = true;
  try {
    await (await import("./marks.js")).saveMarks(markedOf(items()));
  } catch (error) {
    Object.assign(problem, { hidden: false, textContent: t("review.failed", { why: error.message }) });
  } finally {
    save.disabled = false;
  }
}
