// Input of pictures: chosen, dropped anywhere on the page, or pasted.

import { byId } from "./dom.js";

/**
 * @param {(files: File[]) => any} addFiles
 * @param {(key: string) => any} [showProblem] called with a text key if there is no picture in a drop or paste, or a link only
 */
export function wireFileInput(addFiles, showProblem) {
  byId("files").addEventListener("change", ({ target }) => {
    addFiles([...target.files]); // a copy: the list is emptied below
    target.value = ""; // so that the same file can be chosen again
  });
  if (byId("files").files.length) addFiles([...byId("files").files]); // chosen before this script ran
  document.addEventListener("paste", ({ clipboardData, target }) => {
    if (!target.closest?.("input, textarea")) acceptTransfer(clipboardData, "paste.nothing");
  });
  const highlight = (on) => document.body.classList.toggle("dropping", on);
  window.addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser would follow a dropped link
    highlight(event.dataTransfer?.types.includes("Files"));
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) highlight(false);
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    highlight(false);
    acceptTransfer(event.dataTransfer, "drop.nothing");
  });

  function acceptTransfer(data, emptyKey) {
    if (data.files.length) return addFiles([...data.files]);
    const text = data.getData("text/uri-list") || data.getData("text/plain");
    showProblem(/^\s*(https?|data|blob):/i.test(text) ? "link" : emptyKey);
  }
}
