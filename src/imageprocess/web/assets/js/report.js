// One picture's report as a file to pass on: one HTML page that asks for nothing and runs nothing (report/page.py fills
// the same template). The picture is in it only where a person ticks that.

import { toneOf, why } from "./answer.js";
import { el } from "./dom.js";
import { evidence } from "./evidence.js";
import { meter } from "./meter.js";
import { drawHeat } from "./picture.js";
import { pixelHash } from "./private/client.js";
import { addTexts, bytes, language, number, t } from "./texts.js";
import { headline } from "./wording.js";

await addTexts("report");

const HEAT_LONGEST = 640; // pixels of the map's longer side

/**
 * The report as text. `file`: the picture, or null where its bytes are not at hand. `found`: the address that it came
 * from, `where`: "browser" or "service".
 */
export async function reportText(record, { file, withPicture = false, where, found = null }) {
  const template = await (await fetch(new URL("../report.html", import.meta.url))).text();
  const { heatmap, ...plain } = record;
  const pixels = file && (await pixelHash(file).catch(() => null)); // a format that only the service reads has none here
  const slots = {
    lang: language,
    dir: document.documentElement.dir || "ltr",
    title: text(`${t("report.title")}: ${record.source}`),
    label: record.verdict.label,
    grade: toneOf(record)["data-grade"],
    headline: text(headline(record)),
    meter: meter(record)?.outerHTML ?? "",
    why: why(record).map((part) => part.outerHTML).join("\n"),
    figures: await figures(record, withPicture ? file : null),
    identity_title: text(t("report.identity")),
    identity: identity(record, pixels, found),
    identity_note: text(t("report.identity.note")),
    evidence: opened(evidence(record, where)).outerHTML,
    limits_title: text(t("report.limits")),
    limits: text(t("report.limits.text")),
    made: text(made(record)),
    record: JSON.stringify({ ...plain, ...(pixels && { pixels_sha256: pixels }) }).replaceAll("<", "\\u003c"),
  };
  return template.replace(/\{\{(\w+)\}\}/g, (whole, name) => slots[name]);
}

/** Escaped for HTML. */
function text(words) {
  const holder = document.createElement("p");
  holder.textContent = words;
  return holder.innerHTML;
}

function opened(details) {
  for (const each of [details, ...details.querySelectorAll("details")]) each.open = true;
  return details;
}

function identity(record, pixels, found) {
  const { format, width, height } = record.image;
  const { name = "–", version = "", sha256 = "" } = record.model ?? {};
  const facts = {
    name: record.source,
    found,
    format: t("card.facts", { format, width: number(width), height: number(height), size: bytes(record.image.bytes) }),
    sha256: record.sha256,
    pixels,
    model: t("model.line", { name, version, sha: sha256 }),
  };
  const digests = new Set(["sha256", "pixels", "model"]);
  return Object.entries(facts)
    .filter(([, value]) => value)
    .flatMap(([key, value]) => [el("dt", {}, t(`report.${key}`)), el("dd", { dir: "auto", class: digests.has(key) ? "digest" : null }, value)])
    .map((element) => element.outerHTML)
    .join("");
}

function made(record) {
  const date = new Date().toLocaleString(language, { dateStyle: "long", timeStyle: "long" });
  const { name = "–", version = "" } = record.model ?? {};
  return t("report.made", { date, model: `${name} ${version}` });
}

/** The picture, where it is wanted, under the map of where the model looked. */
async function figures(record, file) {
  const { heatmap, image } = record;
  if (!heatmap && !file) return "";
  const scale = Math.min(1, HEAT_LONGEST / Math.max(image.width, image.height));
  const size = { width: Math.max(1, Math.round(image.width * scale)), height: Math.max(1, Math.round(image.height * scale)) };
  // As text: an element of this page would load its picture here, which the page's policy forbids.
  const drawn = (address, kind) => `<img class="${kind}" src="${address}" alt="${text(record.source).replaceAll('"', "&quot;")}">`;
  const picture = file ? drawn(await dataAddress(file), "picture") : "";
  const frames = picture ? [figure(picture, "")] : [];
  if (heatmap) {
    const canvas = document.createElement("canvas");
    drawHeat(heatmap, canvas, size.width, size.height);
    frames.push(figure(picture + drawn(canvas.toDataURL("image/png"), "heat"), `<figcaption>${text(t("heat.caption"))}</figcaption>`));
  }
  return `<section class="figures">${frames.join("")}</section>`;
}

const figure = (pictures, caption) => `<figure><div class="frame">${pictures}</div>${caption}</figure>`;

function dataAddress(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

/** Save the report as a file beside the picture's name. */
export async function saveReport(record, options) {
  const address = URL.createObjectURL(new Blob([await reportText(record, options)], { type: "text/html" }));
  const stem = record.source.split(/[\\/]/).pop().replace(/\.\w{1,5}$/, "") || "picture";
  el("a", { href: address, download: `${stem}.report.html` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser may still be asking where to put it
}

/** Ask whether the picture goes in, then save. */
export function openReport(item) {
  const tick = el("input", { type: "checkbox" });
  const save = async () => {
    await saveReport(item.record, { file: item.file, withPicture: tick.checked, where: item.where });
    dialog.close();
  };
  const dialog = el(
    "dialog", { "aria-labelledby": "report-dialog", onclose: () => dialog.remove() },
    el("h2", { id: "report-dialog" }, t("report.save")),
    el("p", { class: "hint" }, t("report.lead")),
    el("label", { class: "switch" }, tick, t("report.with-picture")),
    el(
      "p", { class: "row" },
      el("button", { type: "button", class: "button", onclick: save }, t("report.download")),
      el("button", { type: "button", class: "button plain", onclick: () => dialog.close() }, t("wrong.close")),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}
