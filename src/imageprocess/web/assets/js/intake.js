// How pictures come in: chosen, dropped anywhere on the page, pasted. A link has no picture in it: `tell` hears of those,
// with the text that says what to do.

import { byId } from "./dom.js";

export function wireIntake(add, tell) {
  byId("files").addEventListener("change", ({ target }) => {
    add([...target.files]); // a copy: the list is emptied below
    target.value = ""; // so that the same file can be chosen again
  });
  if (byId("files").files.length) add([...byId("files").files]); // chosen before this script was there
  document.addEventListener("paste", ({ clipboardData, target }) => {
    if (!target.closest?.("input, textarea")) take(clipboardData, "paste.nothing");
  });
  const mark = (on) => document.body.classList.toggle("dropping", on);
  window.addEventListener("dragover", (event) => {
    event.preventDefault(); // else a link would be followed
    mark(event.dataTransfer?.types.includes("Files"));
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    take(event.dataTransfer, "drop.nothing");
  });

  function take(data, otherwise) {
    if (data.files.length) return add([...data.files]);
    const text = data.getData("text/uri-list") || data.getData("text/plain");
    tell(/^\s*(https?|data|blob):/i.test(text) ? "link" : otherwise);
  }
}
