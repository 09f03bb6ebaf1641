// One picture's card: preview at its side, then what is known of it so far.

import { el, icon } from "./dom.js";
import { meter } from "./meter.js";
import { drawHeat, drawPreview } from "./picture.js";
import { bytes, has, t } from "./texts.js";

const STATED = new Set(["c2pa", "watermark", "metadata"]);

/** The verdict in a few words: what a statement decides sounds different from what the network estimates. */
export function headline(record) {
  if (record.status === "error") return t("verdict.error");
  const { label, decided_by: by } = record.verdict;
  const stated = `verdict.${label}.stated`;
  return STATED.has(by) && has(stated) ? t(stated) : t(`verdict.${label}`);
}

/** Why a file failed, in the page's words where it has some. */
export const failure = ({ code, message }, values) => (has(`error.${code}`) ? t(`error.${code}`, values) : message);

export class Card {
  constructor(item, { onremove, limit }) {
    this.item = item;
    this.limit = limit;
    this.canvas = el("canvas", { role: "img", "aria-label": t("card.preview", { name: item.name }) });
    this.frame = el("div", { class: "frame" }, this.canvas);
    this.facts = el("span", { class: "facts" }, bytes(item.file.size));
    this.finding = el("div", { class: "finding" });
    this.element = el(
      "article", { class: "card", "aria-label": item.name },
      el(
        "div", { class: "picture" },
        this.frame,
        el("p", { class: "name" }, el("bdi", { title: item.name }, item.name), this.facts),
      ),
      this.finding,
      el(
        "button", { type: "button", class: "remove", "aria-label": t("card.remove", { name: item.name }), onclick: onremove },
        icon("close"),
      ),
    );
    this.update();
  }

  async preview() {
    this.hasPreview = await drawPreview(this.item.file, this.canvas);
    if (!this.hasPreview) {
      this.frame.replaceChildren(el("p", { class: "no-preview" }, icon("picture"), t("card.no-preview")));
    }
    this.frame.dataset.drawn = this.hasPreview;
  }

  /** Show the item's state anew. */
  update() {
    const { state, record } = this.item;
    this.element.dataset.state = state;
    this.element.dataset.label = record ? (record.verdict?.label ?? "error") : "";
    this.element.setAttribute("aria-busy", state === "running");
    this.heat?.remove();
    this.heat = null;
    if (!record) {
      this.finding.replaceChildren(el("p", { class: "state" }, t(`card.${state}`)));
    } else if (record.status === "error") {
      this.finding.replaceChildren(...this.failed(record));
    } else {
      this.finding.replaceChildren(...this.judged(record));
      const { format, width, height } = record.image;
      this.facts.textContent = t("card.facts", { format, width, height, size: bytes(record.image.bytes) });
    }
  }

  failed(record) {
    return [
      el("h2", { class: "verdict" }, icon("error"), headline(record)),
      el("p", { class: "reason" }, failure(record.error, { limit: this.limit })),
    ];
  }

  judged(record) {
    const { label, decided_by: by, reason } = record.verdict;
    const heat = record.heatmap && this.hasPreview !== false && this.heatControls(record.heatmap);
    return [
      el("div", {}, el("h2", { class: "verdict" }, icon(label), headline(record)), meter(record)),
      el(
        "div", {},
        el("p", { class: "reason" }, reason),
        el("p", { class: "decided" }, `${t("decided")} `, el("b", {}, t(`decided.${by}`))),
        heat,
      ),
      el(
        "details", { class: "evidence" },
        evidenceSummary(record),
        evidenceList(record.evidence),
        el("p", { class: "hint" }, t("evidence.unchecked")),
      ),
    ];
  }

  heatControls(heatmap) {
    const opacity = el("input", { type: "range", min: 0, max: 100, value: 70, "aria-label": t("heat.opacity"), oninput: () => fade() });
    const strength = el("p", { class: "strength", hidden: true }, opacity, t("heat.caption"));
    const fade = () => this.heat.style.setProperty("opacity", opacity.value / 100);
    const show = ({ target }) => {
      strength.hidden = !target.checked;
      if (!this.heat) {
        this.heat = el("canvas", { class: "heat", "aria-hidden": "true" });
        drawHeat(heatmap, this.heat, this.canvas.width, this.canvas.height);
        this.frame.append(this.heat);
      }
      this.heat.hidden = !target.checked;
      fade();
    };
    return el(
      "div", { class: "heat-controls" },
      el("label", { class: "switch" }, el("input", { type: "checkbox", onchange: show }), t("heat.show")),
      strength,
    );
  }
}

const evidenceSummary = ({ evidence }) =>
  el("summary", {}, `${t("evidence")} `, el("span", { class: "count" }, String(evidence.length)));

function evidenceList(evidence) {
  if (!evidence.length) return el("p", {}, t("evidence.none"));
  return el("ul", {}, evidence.map(evidenceItem));
}

// What a generator's own record tells, in this order.
const RECORD = ["generator", "model", "prompt", "negative_prompt", "seed", "sampler"];

function evidenceItem({ kind, claim, trust, points_to: points, detail = {} }) {
  const exact = `proves.${kind}.${trust}`;
  const told = RECORD.filter((name) => detail[name]);
  return el(
    "li", {},
    el("p", { class: "kind" }, el("b", {}, t(`kind.${kind}`)), ` · ${t(`trust.${trust}`)} · ${t(`points.${points}`)}`),
    el("p", {}, claim),
    told.length > 0 && el("dl", { class: "record" }, told.flatMap((name) => entry(name, detail[name]))),
    detail.proves
      ? [
          el("p", { class: "hint" }, el("b", {}, t("proves")), ` ${detail.proves}`),
          el("p", { class: "hint" }, el("b", {}, t("proves.not")), ` ${detail.does_not_prove}`),
        ]
      : el("p", { class: "hint" }, t(has(exact) ? exact : `proves.${kind}`)),
  );
}

const entry = (name, value) => [el("dt", {}, t(`record.${name}`)), el("dd", {}, String(value))];
