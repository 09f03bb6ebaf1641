// How pictures come in: chosen, dropped anywhere on the page, pasted.

import { byId } from "./dom.js";

export function wireIntake(add) {
  byId("files").addEventListener("change", ({ target }) => {
    add(target.files);
    target.value = ""; // so that the same file can be chosen again
  });
  if (byId("files").files.length) add(byId("files").files); // chosen before this script was there
  document.addEventListener("paste", ({ clipboardData }) => add(clipboardData.files));
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (on) => document.body.classList.toggle("dropping", on);
  window.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  window.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(false);
    add(event.dataTransfer.files);
  });
}
