// What a file says of itself, in a dialog: the machine-readable marks that it has and lacks, its credentials' chain of
// manifests and every text in it. The file is read in this page, wherever the verdict came from. Fetched when first
// asked for.

import { addStyle, byId, el } from "./dom.js";
import { inspect } from "./private/client.js";
import { addTexts, number, t } from "./texts.js";

addStyle("inspect.css");
await addTexts("inspect");

const MARKS = ["c2pa", "iptc", "aigc", "watermark", "generator_metadata"];
const AIGC = ["China's AIGC label", "Tencent Cloud's AIGC label"];
const MAX_DEPTH = 16; // generations of ingredients

/** Open the dialog on an item. */
export async function openInspection({ name, file, record }) {
  const told = await inspect(file);
  const dialog = el(
    "dialog", { id: "inspection", "aria-labelledby": "inspection-title" },
    el("h2", { id: "inspection-title" }, t("inspect.title")),
    el("p", { class: "hint" }, el("bdi", {}, name)),
    told.error ? el("p", { class: "warning" }, t("inspect.failed")) : contents(told, record?.evidence ?? []),
    el("p", { class: "row" }, el("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("inspect.close"))),
  );
  byId("inspection")?.remove();
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

const contents = ({ texts, manifests }, evidence) =>
  el("div", {}, marks(evidence), manifests.length > 0 && credentials(manifests), listOfTexts(texts));

/** Each kind of mark -> says AI, present, or absent (report/marks.py). */
export function findMarks(evidence) {
  const found = Object.fromEntries(MARKS.map((kind) => [kind, "absent"]));
  for (const { kind, points_to: points, detail } of evidence) {
    const isAigc = kind === "generator_metadata" && AIGC.some((name) => String(detail?.generator ?? "").startsWith(name));
    const mark = isAigc ? "aigc" : kind;
    if (mark in found && found[mark] !== "says") found[mark] = ["ai", "ai_edited"].includes(points) ? "says" : "present";
  }
  return found;
}

function marks(evidence) {
  const rows = Object.entries(findMarks(evidence)).flatMap(([kind, state]) => [
    el("dt", {}, t(`inspect.mark.${kind}`)),
    el("dd", { "data-mark": kind, "data-state": state }, t(`inspect.state.${state}`)),
  ]);
  return el("section", {}, el("h3", {}, t("inspect.marks")), el("dl", { class: "record" }, rows), el("p", { class: "hint" }, t("inspect.no-verdict")));
}

function credentials(manifests) {
  const known = new Map(manifests.map((manifest) => [manifest.label, manifest]));
  return el(
    "section", {},
    el("h3", {}, t("inspect.credentials")),
    el("p", { class: "hint" }, t("inspect.credentials.hint")),
    el("ul", { class: "chain", dir: "auto" }, chain(manifests[0], known, new Set(), 0)),
  );
}

/** A manifest, and below it what went into the picture. */
function chain(manifest, known, seen, depth) {
  const above = new Set(seen).add(manifest.label);
  const parts = manifest.ingredients.map(({ relationship, title, manifest: label }) => {
    const child = known.get(label ?? "");
    const isNew = child && !above.has(child.label) && depth < MAX_DEPTH;
    return el(
      "li", {},
      `${relationship}${title ? ` “${title}”` : ""}${child ? "" : ` · ${t("inspect.no-credentials")}`}`,
      isNew && el("ul", {}, chain(child, known, above, depth + 1)),
    );
  });
  const facts = [["software", "software"], ["identities", "identity"], ["soft_bindings", "soft-binding"]].flatMap(([key, text]) =>
    manifest[key].map((one) => el("li", { class: "hint" }, `${t(`inspect.${text}`)}: ${one}`)),
  );
  const name = manifest.claim_generator ?? t("inspect.unnamed");
  return el("li", {}, el("b", {}, name), ` · ${t(`inspect.says.${manifest.says}`)}`, el("ul", {}, facts, parts));
}

function listOfTexts(texts) {
  return el(
    "section", {},
    el("h3", {}, `${t("inspect.texts")} (${number(texts.length)})`),
    texts.length ? texts.map(oneText) : el("p", {}, t("inspect.none")),
  );
}

const oneText = ({ place, name, text, characters }) =>
  el(
    "details", { class: "text" },
    el("summary", {}, `${place} · `, el("b", {}, el("bdi", {}, name)), ` (${number(characters)})`),
    el("pre", { dir: "auto" }, text),
  );
