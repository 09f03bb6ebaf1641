// The bar of a probability: real at the start, AI at the end, the band without a firm answer between.

import { el } from "./dom.js";
import { percent, t } from "./i18n.js";
import { thresholdsOf } from "./wording.js";

/** The bar of a record, or null where nothing gave a probability. */
export function meter(record) {
  const { probability_ai: p, decided_by: by } = record.verdict;
  if (p === null) return null;
  const estimate = by === "model" || by === "abstain";
  const band = estimate ? (thresholdsOf(record) ?? undefined) : undefined; // the thresholds applied
  // An estimate; the share of such records that were true; or the statement of a signature or watermark.
  const kind = estimate ? "" : by === "metadata" ? ".counted" : ".stated";
  const formatted = percent(p, kind !== ".stated");
  const track = el("div", {
    class: "track", role: "meter", "aria-label": t("meter.label"),
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * p),
    "aria-valuetext": valueText(formatted, band, by),
  });
  track.append(el("span", { class: "needle" }));
  const bar = el(
    "div", { class: "meter" },
    el("p", { class: "meter-head" }, el("span", {}, t({ "": "meter.label", ".stated": "meter.label.stated", ".counted": "meter.label.counted" }[kind])), el("strong", {}, formatted)),
    track,
    el(
      "p", { class: "scale", "aria-hidden": "true" },
      el("span", {}, t("meter.real")),
      band?.real < band?.ai && el("span", { class: "unsure" }, t("meter.unsure")),
      el("span", {}, t("meter.ai")),
    ),
  );
  bar.style.setProperty("--p", p);
  bar.style.setProperty("--low", band?.real ?? 0.5);
  bar.style.setProperty("--high", band?.ai ?? 0.5);
  return bar;
}

function valueText(formatted, band, by) {
  if (!band) return t(by === "metadata" ? "meter.counted" : "meter.stated", { percent: formatted });
  const values = { percent: formatted, low: percent(band.real), high: percent(band.ai) };
  return t(band.real < band.ai ? "meter.spoken" : "meter.never-unsure", values);
}
