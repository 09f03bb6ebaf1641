// The panel beside a picture: renders the result that page/panel.js sends, with the pages' own modules.

import { explanation, heading, verdictAttributes } from "./assets/js/verdict-view.js";
import { byId, el, icon } from "./assets/js/dom.js";
import { evidence } from "./assets/js/evidence.js";
import { meter } from "./assets/js/meter.js";
import { saveReport } from "./assets/js/report.js";
import { bytes, number, t } from "./assets/js/i18n.js";
import { failure } from "./assets/js/wording.js";

const METADATA_KINDS = new Set(["c2pa", "iptc", "generator_metadata", "exif"]); // kinds of evidence from the file's metadata

const tab = await chrome.tabs.getCurrent();
const port = chrome.tabs.connect(tab.id, { name: location.hash.slice(1), frameId: 0 });
let resolvePicture = null; // of the promise of the picture's data: URL

port.onMessage.addListener((result) => {
  if (result.state === "bytes") return resolvePicture?.(result.data);
  byId("content").replaceChildren(...render(result));
});
byId("close").addEventListener("click", () => port.postMessage({ call: "close" }));
addEventListener("keydown", ({ key }) => key === "Escape" && port.postMessage({ call: "close" }));
new ResizeObserver(() => port.postMessage({ call: "height", height: Math.ceil(document.body.getBoundingClientRect().height) })).observe(document.body);
byId("content").focus({ preventScroll: true });

function render(result) {
  if (result.state === "running") return [el("p", { class: "hint" }, t("card.running"))];
  if (result.needs) return permissionRequest(result.needs);
  const { record } = result;
  if (!record) return failed(t(result.code === "too_large" ? "panel.too-large" : "panel.failed"));
  if (record.status === "error") return failed(record.error.code === "unsupported_format" ? t("panel.format") : failure(record.error));
  return verdictView(result);
}

const failed = (why) => [
  el("div", { "data-label": "error" }, el("h2", { class: "verdict" }, icon("error"), t("verdict.error"))),
  el("p", {}, why),
  el("p", { class: "hint" }, el("a", { href: "predict.html", target: "_blank" }, t("panel.drop"))),
];

/** The picture is on another site: ask the user for permission to read it. */
function permissionRequest(origin) {
  const host = new URL(origin.replace("*", "")).hostname;
  const request = async (origins) => {
    if (await chrome.permissions.request({ origins })) port.postMessage({ call: "check" });
  };
  return [
    el("h2", {}, t("panel.needs")),
    el("p", {}, t("panel.needs.why", { host })),
    el("p", { class: "row" }, el("button", { type: "button", class: "button", id: "allow", "data-origin": origin, onclick: () => request([origin]) }, t("panel.allow", { host }))),
    el("p", {}, el("button", { type: "button", class: "link", id: "allow-all", onclick: () => request(["*://*/*"]) }, t("panel.allow.all"))),
  ];
}

function verdictView(result) {
  const { record } = result;
  const { format, width, height } = record.image;
  return [
    el(
      "div", { ...verdictAttributes(record), class: "finding" },
      heading(record),
      meter(record),
      explanation(record),
    ),
    prompt(record),
    !record.evidence.some(({ kind }) => METADATA_KINDS.has(kind)) && el("p", { class: "stripped" }, t("panel.stripped")),
    evidence(record, "browser"),
    el("p", { class: "hint facts" }, t("card.facts", { format, width: number(width), height: number(height), size: bytes(record.image.bytes) }), result.isLargest && ` · ${t("panel.largest")}`),
    reportControls(result),
  ].filter(Boolean);
}

/** The prompt in a generator's record; the rest of the record is in the list of evidence. */
function prompt({ evidence: items }) {
  const text = items.map(({ detail }) => detail?.prompt).find(Boolean);
  return text && el("div", { class: "prompt" }, el("p", { class: "kind" }, t("record.prompt")), el("blockquote", { dir: "auto" }, text));
}

function reportControls({ record, url, pageUrl }) {
  const withPicture = el("input", { type: "checkbox", id: "with-picture" });
  const save = async () => {
    const data = new Promise((resolve) => (resolvePicture = resolve));
    port.postMessage({ call: "bytes" });
    const blob = await fetch(await data).then((response) => response.blob(), () => null);
    await saveReport(record, { file: blob && new File([blob], record.source), withPicture: withPicture.checked, where: "browser", pageUrl: /^https?:/.test(url) ? url : pageUrl });
  };
  return el(
    "p", { class: "row" },
    el("button", { type: "button", class: "link", id: "report", onclick: save }, t("report.save")),
    el("label", { class: "switch hint" }, withPicture, t("report.with-picture")),
  );
}
