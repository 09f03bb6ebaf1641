// Saves a picture's report as one HTML file without scripts or network requests (report/page.py fills the same template).
// The picture is included only on request.

import { explanation, verdictAttributes } from "./verdict-view.js";
import { el } from "./dom.js";
import { evidence } from "./evidence.js";
import { meter } from "./meter.js";
import { drawHeat } from "./picture.js";
import { pixelHash } from "./private/client.js";
import { addTexts, bytes, language, number, t } from "./i18n.js";
import { headline } from "./wording.js";

await addTexts("report");

const HEAT_MAP_SIDE = 640; // pixels

/**
 * The report as HTML. `file`: the picture, or null if its bytes are not available; `pageUrl`: where it was found;
 * `where`: "browser" or "service".
 */
export async function reportText(record, { file, withPicture = false, where, pageUrl = null }) {
  const template = await (await fetch(new URL("../report.html", import.meta.url))).text();
  const { heatmap, ...plain } = record;
  const pixels = file && (await pixelHash(file).catch(() => null)); // null for formats that browsers cannot decode
  const slots = {
    lang: language,
    dir: document.documentElement.dir || "ltr",
    title: escapeHtml(`${t("report.title")}: ${record.source}`),
    label: record.verdict.label,
    grade: verdictAttributes(record)["data-grade"],
    headline: escapeHtml(headline(record)),
    meter: meter(record)?.outerHTML ?? "",
    why: explanation(record).map((part) => part.outerHTML).join("\n"),
    figures: await figures(record, withPicture ? file : null),
    identity_title: escapeHtml(t("report.identity")),
    identity: identity(record, pixels, pageUrl),
    identity_note: escapeHtml(t("report.identity.note")),
    evidence: expanded(evidence(record, where)).outerHTML,
    limits_title: escapeHtml(t("report.limits")),
    limits: escapeHtml(t("report.limits.text")),
    made: escapeHtml(footer(record)),
    record: JSON.stringify({ ...plain, ...(pixels && { pixels_sha256: pixels }) }).replaceAll("<", "\\u003c"),
  };
  return template.replace(/\{\{(\w+)\}\}/g, (whole, name) => slots[name]);
}

/** Escape text for HTML. */
function escapeHtml(string) {
  const holder = document.createElement("p");
  holder.textContent = string;
  return holder.innerHTML;
}

function expanded(details) {
  for (const each of [details, ...details.querySelectorAll("details")]) each.open = true;
  return details;
}

function identity(record, pixels, pageUrl) {
  const { format, width, height } = record.image;
  const { name = "–", version = "", sha256 = "" } = record.model ?? {};
  const facts = {
    name: record.source,
    found: pageUrl,
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

function footer(record) {
  const date = new Date().toLocaleString(language, { dateStyle: "long", timeStyle: "long" });
  const { name = "–", version = "" } = record.model ?? {};
  return t("report.made", { date, model: `${name} ${version}` });
}

/** The picture, if included, and the heat map over it. */
async function figures(record, file) {
  const { heatmap, image } = record;
  if (!heatmap && !file) return "";
  const scale = Math.min(1, HEAT_MAP_SIDE / Math.max(image.width, image.height));
  const size = { width: Math.max(1, Math.round(image.width * scale)), height: Math.max(1, Math.round(image.height * scale)) };
  // As a string: an element would load the picture in this page, which its content security policy forbids.
  const imageTag = (address, kind) => `<img class="${kind}" src="${address}" alt="${escapeHtml(record.source).replaceAll('"', "&quot;")}">`;
  const picture = file ? imageTag(await dataUrl(file), "picture") : "";
  const frames = picture ? [figure(picture, "")] : [];
  if (heatmap) {
    const canvas = document.createElement("canvas");
    drawHeat(heatmap, canvas, size.width, size.height);
    frames.push(figure(picture + imageTag(canvas.toDataURL("image/png"), "heat"), `<figcaption>${escapeHtml(t("heat.caption"))}</figcaption>`));
  }
  return `<section class="figures">${frames.join("")}</section>`;
}

const figure = (pictures, caption) => `<figure><div class="frame">${pictures}</div>${caption}</figure>`;

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

/** Save the report as a file named after the picture. */
export async function saveReport(record, options) {
  const address = URL.createObjectURL(new Blob([await reportText(record, options)], { type: "text/html" }));
  const stem = record.source.split(/[\\/]/).pop().replace(/\.\w{1,5}$/, "") || "picture";
  el("a", { href: address, download: `${stem}.report.html` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser may still be asking where to save it
}

/** Ask whether to include the picture, then save the report. */
export function openReport(item) {
  const includePicture = el("input", { type: "checkbox" });
  const save = async () => {
    await saveReport(item.record, { file: item.file, withPicture: includePicture.checked, where: item.where });
    dialog.close();
  };
  const dialog = el(
    "dialog", { "aria-labelledby": "report-dialog", onclose: () => dialog.remove() },
    el("h2", { id: "report-dialog" }, t("report.save")),
    el("p", { class: "hint" }, t("report.lead")),
    el("label", { class: "switch" }, includePicture, t("report.with-picture")),
    el(
      "p", { class: "row" },
      el("button", { type: "button", class: "button", onclick: save }, t("report.download")),
      el("button", { type: "button", class: "button plain", onclick: () => dialog.close() }, t("wrong.close")),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}
