// The list of evidence under a verdict: what each item says, proves and does not prove, and metadata of generators and
// cameras.

import { el } from "./dom.js";
import { has, number, t } from "./i18n.js";
import { claim, proves, provesNot } from "./wording.js";

/** A collapsible list of a record's evidence. `where` it was checked: "browser", "service" or null. */
export const evidence = (record, where) =>
  el(
    "details", { class: "evidence" },
    el("summary", {}, `${t("evidence")} `, el("span", { class: "count" }, number(record.evidence.length))),
    record.evidence.length ? el("ul", {}, record.evidence.map(evidenceItem)) : el("p", {}, t("evidence.none")),
    el("p", { class: "hint" }, where === "browser" && `${t("evidence.browser")} `, t("evidence.unchecked")),
  );

// Fields shown of a generator's record and of camera metadata, in this order.
const RECORD = ["generator", "model", "prompt", "negative_prompt", "seed", "sampler"];
const CAMERA = ["make", "model", "lens", "taken", "changed", "software", "exposure_time_s", "f_number", "iso", "focal_length_mm"];

function evidenceItem(item) {
  const { kind, trust, points_to: points, detail = {} } = item;
  const facts = kind === "exif" ? entries("camera", CAMERA, detail) : entries("record", RECORD, detail);
  const settings = Object.entries(detail.settings ?? {});
  return el(
    "li", {},
    el("p", { class: "kind" }, el("b", {}, t(`kind.${kind}`)), ` · ${t(`trust.${trust}`)} · ${t(`points.${points}`)}`),
    el("p", {}, claim(item)),
    facts.length > 0 && el("dl", { class: "record" }, facts),
    settings.length > 0 &&
      el("details", {}, el("summary", {}, t("record.settings")), el("dl", { class: "record" }, settings.flatMap(([name, value]) => entry(name, value)))),
    detail.proves
      ? [
          el("p", { class: "hint" }, el("b", {}, t("proves")), ` ${proves(item)}`),
          el("p", { class: "hint" }, el("b", {}, t("proves.not")), ` ${provesNot(item)}`),
        ]
      : has(`worth.${kind}`) && el("p", { class: "hint" }, t(`worth.${kind}`)),
  );
}

const entries = (group, names, detail) =>
  names.filter((name) => detail[name]).flatMap((name) => entry(t(`${group}.${name}`), formatField(name, detail[name])));

const entry = (name, value) => [el("dt", {}, name), el("dd", { dir: "auto" }, String(value))];

function formatField(name, value) {
  if (name === "exposure_time_s") return value < 1 ? `1/${Math.round(1 / value)} s` : `${value} s`;
  if (name === "f_number") return `f/${Math.round(10 * value) / 10}`;
  return name === "focal_length_mm" ? `${Math.round(10 * value) / 10} mm` : value;
}
