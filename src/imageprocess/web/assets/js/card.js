// The card of one picture: a preview, and beside it its state or result.

import { explanation, heading, verdictAttributes } from "./verdict-view.js";
import { el, icon } from "./dom.js";
import { evidence } from "./evidence.js";
import { meter } from "./meter.js";
import { drawHeat, drawPreview, heatLegend, drawThumbnail } from "./picture.js";
import { bytes, number, t } from "./i18n.js";
import { failure, headline } from "./wording.js";

const ACTIONS = { report: "report.save", print: "card.print", inspect: "card.inspect", wrong: "card.wrong" };

let lastCard = 0;

export class Card {
  /** @param {any} item of the page's list @param {any} actions functions of the item: remove, send, report, print, inspect, wrong, zoom; null if not offered */
  constructor(item, actions) {
    this.item = item;
    this.actions = actions;
    this.canvas = el("canvas", { role: "img", "aria-label": t("card.preview", { name: item.name }) });
    this.frame = el("div", { class: "frame" }, this.canvas);
    this.thumb = el("canvas", { class: "thumb", width: 1, height: 1, "aria-hidden": "true" });
    this.facts = el("span", { class: "facts" }, bytes(item.file.size));
    this.result = el("div", { class: "finding" });
    this.element = el(
      "article", { class: "card", id: `picture-${++lastCard}`, "aria-label": item.name, tabindex: -1 },
      el(
        "div", { class: "picture" },
        this.frame,
        el("p", { class: "name" }, el("bdi", { title: item.name }, item.name), this.facts),
      ),
      this.result,
      el(
        "button",
        { type: "button", class: "remove", "aria-label": t("card.remove", { name: item.name }), onclick: () => actions.remove(item) },
        icon("close"),
      ),
    );
    this.update();
  }

  /** Draw the preview, its longer side at most `maxSide` pixels. */
  async preview(maxSide) {
    this.hasPreview = await drawPreview(this.item.file, this.canvas, maxSide);
    if (!this.hasPreview) {
      this.frame.replaceChildren(el("p", { class: "no-preview" }, icon("picture"), t("card.no-preview")));
    } else {
      drawThumbnail(this.canvas, this.thumb);
      if (this.actions.zoom) this.frame.append(
        el("button", { type: "button", class: "zoom", "aria-label": t("card.zoom", { name: this.item.name }), onclick: () => this.actions.zoom(this.item) }, icon("zoom")),
      );
    }
    this.frame.dataset.drawn = this.hasPreview;
  }

  /** Render the item's current state. */
  update() {
    const { state, record } = this.item;
    this.element.dataset.state = state;
    const { "data-label": label = "", "data-grade": grade } = record ? verdictAttributes(record) : {};
    Object.assign(this.element.dataset, { label, grade: grade ?? "" });
    this.element.setAttribute("aria-busy", state === "running");
    this.heat?.remove();
    this.heat = null;
    if (!record) {
      this.result.replaceChildren(el("p", { class: "state" }, t(`card.${state}`)));
    } else if (record.status === "error") {
      this.result.replaceChildren(...this.errorView(record));
    } else {
      this.result.replaceChildren(...this.verdictView(record));
      const { format, width, height } = record.image;
      this.facts.textContent = t("card.facts", { format, width: number(width), height: number(height), size: bytes(record.image.bytes) });
    }
  }

  errorView(record) {
    const { item, actions } = this;
    const reason = item.unreadable ? t("error.unreadable", { format: item.unreadable }) : failure(record.error, { limit: item.limit, size: item.file.size });
    return [
      el("h2", { class: "verdict" }, icon("error"), headline(record)),
      el("p", { class: "reason" }, reason),
      item.unreadable && actions.send && button("send", () => actions.send(item)),
      actions.inspect && button(ACTIONS.inspect, () => actions.inspect(item)),
    ].filter(Boolean);
  }

  verdictView(record) {
    const { item, actions } = this;
    return [
      el("div", {}, heading(record), meter(record)),
      el(
        "div", {},
        explanation(record),
        record.heatmap && this.hasPreview !== false && this.heatControls(record.heatmap),
      ),
      evidence(record, item.where),
      el(
        "p", { class: "actions" },
        Object.entries(ACTIONS).map(([name, key]) => actions[name] && button(key, () => actions[name](item))),
      ),
    ];
  }

  heatControls(heatmap) {
    const opacity = el("input", { type: "range", min: 0, max: 100, value: 70, "aria-label": t("heat.opacity"), oninput: () => fade() });
    const strength = el("div", { class: "strength", hidden: true }, opacity, heatLegend());
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

const button = (key, onclick) => el("button", { type: "button", class: "link", onclick }, t(key));
