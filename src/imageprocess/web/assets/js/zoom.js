// The dialog that shows one picture enlarged, with its heat map if there is one. Loaded on demand.

import { addStyle, byId, el } from "./dom.js";
import { drawHeat, drawPreview, heatLegend } from "./picture.js";
import { t } from "./i18n.js";

addStyle("zoom.css");

const MAX_SIDE = 4096; // pixels; canvases have limits

/** Open the dialog for an item. A click toggles between the whole picture and full size. */
export async function zoom({ name, file, record }) {
  const canvas = el("canvas", { role: "img", "aria-label": t("card.preview", { name }) });
  if (!(await drawPreview(file, canvas, MAX_SIDE))) return;
  const layers = el("div", { class: "layers-of-one" }, canvas);
  const view = el("div", { class: "view", tabindex: 0, onclick: () => enlarge(view) }, layers);
  const controls = el("p", { class: "row" },
    el("button", { type: "button", class: "button plain", onclick: () => enlarge(view) }, t("zoom.toggle")),
    el("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("zoom.close")),
  );
  const dialog = el("dialog", { id: "zoom", "aria-label": name }, view, record?.heatmap && heat(record.heatmap, canvas, layers), controls);
  byId("zoom")?.remove();
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

const enlarge = (view) => view.classList.toggle("full");

function heat(heatmap, canvas, layers) {
  const map = el("canvas", { class: "heat", "aria-hidden": "true" });
  drawHeat(heatmap, map, canvas.width, canvas.height);
  layers.append(map);
  const fade = () => map.style.setProperty("opacity", opacity.value / 100);
  const opacity = el("input", { type: "range", min: 0, max: 100, value: 60, "aria-label": t("heat.opacity"), oninput: fade });
  fade();
  return el("div", { class: "strength" }, opacity, heatLegend());
}
