// The panel beside a picture: shows what page/panel.js sends. The pages' own modules draw it.

import { heading, toneOf, why } from "./assets/js/answer.js";
import { byId, el, icon } from "./assets/js/dom.js";
import { evidence } from "./assets/js/evidence.js";
import { meter } from "./assets/js/meter.js";
import { saveReport } from "./assets/js/report.js";
import { bytes, number, t } from "./assets/js/texts.js";
import { failure } from "./assets/js/wording.js";

const OWN = new Set(["c2pa", "iptc", "generator_metadata", "exif"]); // the kinds that are a file's own records

const tab = await chrome.tabs.getCurrent();
const port = chrome.tabs.connect(tab.id, { name: location.hash.slice(1), frameId: 0 });
let picture = null; // resolves with the picture's bytes, once asked for

port.onMessage.addListener((told) => {
  if (told.state === "bytes") return picture?.(told.data);
  byId("content").replaceChildren(...shown(told));
});
byId("close").addEventListener("click", () => port.postMessage({ call: "close" }));
addEventListener("keydown", ({ key }) => key === "Escape" && port.postMessage({ call: "close" }));
new ResizeObserver(() => port.postMessage({ call: "height", height: Math.ceil(document.body.getBoundingClientRect().height) })).observe(document.body);
byId("content").focus({ preventScroll: true });

function shown(told) {
  if (told.state === "running") return [el("p", { class: "hint" }, t("card.running"))];
  if (told.needs) return needs(told.needs);
  const { record } = told;
  if (!record) return failed(t(told.code === "too_large" ? "panel.too-large" : "panel.unread"));
  if (record.status === "error") return failed(record.error.code === "unsupported_format" ? t("panel.format") : failure(record.error));
  return judged(told);
}

const failed = (why) => [
  el("div", { "data-label": "error" }, el("h2", { class: "verdict" }, icon("error"), t("verdict.error"))),
  el("p", {}, why),
  el("p", { class: "hint" }, el("a", { href: "predict.html", target: "_blank" }, t("panel.drop"))),
];

/** The picture lies on another site: the user decides whether that may be read. */
function needs(origin) {
  const host = new URL(origin.replace("*", "")).hostname;
  const ask = async (origins) => {
    if (await chrome.permissions.request({ origins })) port.postMessage({ call: "check" });
  };
  return [
    el("h2", {}, t("panel.needs")),
    el("p", {}, t("panel.needs.why", { host })),
    el("p", { class: "row" }, el("button", { type: "button", class: "button", id: "allow", "data-origin": origin, onclick: () => ask([origin]) }, t("panel.allow", { host }))),
    el("p", {}, el("button", { type: "button", class: "link", id: "allow-all", onclick: () => ask(["*://*/*"]) }, t("panel.allow.all"))),
  ];
}

function judged(told) {
  const { record } = told;
  const { format, width, height } = record.image;
  return [
    el(
      "div", { ...toneOf(record), class: "finding" },
      heading(record),
      meter(record),
      why(record),
    ),
    prompt(record),
    !record.evidence.some(({ kind }) => OWN.has(kind)) && el("p", { class: "stripped" }, t("panel.stripped")),
    evidence(record, "browser"),
    el("p", { class: "hint facts" }, t("card.facts", { format, width: number(width), height: number(height), size: bytes(record.image.bytes) }), told.isLargest && ` · ${t("panel.largest")}`),
    report(told),
  ].filter(Boolean);
}

/** What a generator wrote down of how it made the picture; the rest of its record is among the evidence. */
function prompt({ evidence: items }) {
  const text = items.map(({ detail }) => detail?.prompt).find(Boolean);
  return text && el("div", { class: "prompt" }, el("p", { class: "kind" }, t("record.prompt")), el("blockquote", { dir: "auto" }, text));
}

function report({ record, url, at }) {
  const withPicture = el("input", { type: "checkbox", id: "with-picture" });
  const save = async () => {
    const data = new Promise((resolve) => (picture = resolve));
    port.postMessage({ call: "bytes" });
    const blob = await fetch(await data).then((response) => response.blob(), () => null);
    await saveReport(record, { file: blob && new File([blob], record.source), withPicture: withPicture.checked, where: "browser", found: /^https?:/.test(url) ? url : at });
  };
  return el(
    "p", { class: "row" },
    el("button", { type: "button", class: "link", id: "report", onclick: save }, t("report.save")),
    el("label", { class: "switch hint" }, withPicture, t("report.with-picture")),
  );
}
