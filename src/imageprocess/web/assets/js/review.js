// Review of the results: filter by grade, mark each answer as right or wrong, and save the marks as a zip for
// `imageprocess data import`. A mark states what the picture is, so it stays valid when the verdict changes.

import { byId, el } from "./dom.js";
import { addTexts, number, plural, t } from "./i18n.js";
import { GRADES, gradeOf } from "./wording.js";

const KEYS = { 1: 0, 2: 1 }; // key -> index of the row's button
const OTHER = { ai: "real", real: "ai" };

await addTexts("review"); // before the elements below are created

let selectedGrade = ""; // a grade, "failed", or "" for all
const filter = el("select", { id: "filter", "aria-label": t("review.filter"), onchange: () => selectGrade(filter.value) });
const tally = el("p", { class: "hint", role: "status", id: "marked" });
const save = el("button", { type: "button", id: "save-marks", class: "button", onclick: saveMarks }, t("review.save"));
const problem = el("p", { class: "warning", role: "alert", id: "marks-problem", hidden: true });
let getItems = () => [];
let onFilterChange = () => {};

const gradeOrFailed = ({ record }) => (record.verdict ? gradeOf(record) : "failed");

/** The side of the verdict: "ai", "real", or null for neither. */
export const sideOf = ({ record }) => (record.verdict && /_(ai|real)$/.exec(gradeOf(record))?.[1]) || null;

/** "agree" or "disagree"; "told" if the verdict was on neither side (the column `mark` of marks.csv). */
export const markOf = (item) => (!sideOf(item) ? "told" : item.truth === sideOf(item) ? "agree" : "disagree");

export const matchesFilter = (item) => !selectedGrade || gradeOrFailed(item) === selectedGrade;

export const markHead = () => el("th", { scope: "col", class: "mark" }, t("review.mark"));

/** @param {() => any[]} items returns the items @param {() => void} updateTable */
export function wireReview(items, updateTable) {
  [getItems, onFilterChange] = [items, updateTable];
  const panel = el("div", { id: "review", class: "review", hidden: true }, el("p", {}, t("review.lead")), el("p", { class: "hint" }, t("review.keys")), el("p", { class: "row" }, save, tally), problem);
  const toggle = el("button", { type: "button", id: "review-on", class: "button plain", "aria-expanded": "false", "aria-controls": "review" }, t("review"));
  toggle.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    toggle.setAttribute("aria-expanded", !panel.hidden);
    byId("results").classList.toggle("reviewing", !panel.hidden);
    updateCount();
  });
  byId("results-title").after(filter, toggle);
  byId("results-title").parentElement.after(panel);
  byId("rows").addEventListener("keydown", handleKey);
}

/** Fill the filter with the grades that occur and their counts. */
export function fillFilter(done) {
  const grades = [...GRADES, "failed"].map((grade) => [grade, done.filter((item) => gradeOrFailed(item) === grade).length]).filter(([, many]) => many);
  if (!grades.some(([grade]) => grade === selectedGrade)) selectedGrade = "";
  const nameOf = (grade) => t(grade === "failed" ? "verdict.error" : `grade.${grade}`);
  const options = [["", t("review.all"), done.length], ...grades.map(([grade, many]) => [grade, nameOf(grade), many])];
  const state = JSON.stringify([selectedGrade, options]);
  if (filter.dataset.options !== state) filter.replaceChildren(...options.map(([value, name, many]) => el("option", { value, selected: value === selectedGrade }, `${name} (${number(many)})`)));
  filter.dataset.options = state; // replacing the options would close an open list
  filter.hidden = grades.length < 2;
  updateCount(done);
}

function selectGrade(grade) {
  selectedGrade = grade;
  onFilterChange();
}

/** A cell with two buttons: agree and disagree, or the two sides if the verdict is on neither. */
export function markCell(item) {
  const cell = el("td", { class: "mark" });
  if (!item.record.verdict) return cell;
  const side = sideOf(item);
  const choices = side ? [["agree", side], ["disagree", OTHER[side]]] : [["ai", "ai"], ["real", "real"]];
  const buttons = choices.map(([key, truth], place) => {
    const label = t(`review.${key}`);
    return el("button", { type: "button", class: "mark-as", "data-truth": truth, "aria-label": `${label}: ${item.name}`, "aria-keyshortcuts": place + 1, onclick: () => mark(truth) }, label);
  });
  const update = () => buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.truth === item.truth));
  const mark = (truth) => {
    item.truth = item.truth === truth ? undefined : truth; // pressed again: remove the mark
    update();
    updateCount();
  };
  update();
  cell.append(...buttons);
  return cell;
}

/** Keys 1 and 2 press the buttons of the focused row; the arrow keys move to the next row. */
function handleKey(event) {
  const row = event.target.closest("tr");
  if (byId("review").hidden || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key in KEYS) row.querySelectorAll(".mark-as")[KEYS[event.key]]?.click();
  else if (step) focusRow([...byId("rows").children], row, step);
  else return;
  event.preventDefault();
}

/** Focus the next row that can be marked. */
function focusRow(rows, row, step) {
  for (let place = rows.indexOf(row) + step; rows[place]; place += step) {
    const button = rows[place].querySelector(".mark-as[aria-pressed=true], .mark-as");
    if (button) return button.focus();
  }
}

const markedOf = (all) => all.filter((item) => item.record?.verdict && item.truth);

function updateCount(all = getItems()) {
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
    await (await import("./review-export.js")).saveMarks(markedOf(getItems()));
  } catch (error) {
    Object.assign(problem, { hidden: false, textContent: t("review.failed", { why: error.message }) });
  } finally {
    save.disabled = false;
  }
}
