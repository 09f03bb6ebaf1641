// What a file says of itself, in a dialog: the machine-readable marks that it has and lacks, its credentials' chain of
// manifests and every text in it. The file is read in this page, wherever the verdict came from. Fetched when first
// asked for.

import { addStyle, byId, el } from "./dom.js";
import { checkCredentials, inspect, remove } from "./private/client.js";
import { isKept } from "./private/store.js";
import { site } from "./site.js";
import { storage } from "./storage.js";
import { addTexts, bytes, number, t } from "./texts.js";
import { browser } from "./backends.js";
import { claim } from "./wording.js";

addStyle("inspect.css");
await addTexts("inspect");

const MARKS = ["c2pa", "iptc", "aigc", "watermark", "generator_metadata"];
const AIGC = ["China's AIGC label", "Tencent Cloud's AIGC label"];
const VERIFIER = new URL("assets/c2pa/c2pa_bg.wasm", document.baseURI).href;
const MAX_DEPTH = 16; // generations of ingredients

/** Open the dialog on an item. `changed()`: from now on signatures are checked in this browser, or no longer. */
export async function openInspection(item, changed) {
  const { name, file, record, where } = item;
  const told = await inspect(file);
  const check = site.credentials && told.manifests?.length ? await signatures(file, changed) : null;
  const dialog = el(
    "dialog", { id: "inspection", "aria-labelledby": "inspection-title" },
    el("h2", { id: "inspection-title" }, t("inspect.title")),
    el("p", { class: "hint" }, el("bdi", {}, name)),
    told.error ? el("p", { class: "warning" }, t("inspect.failed")) : contents(told, record?.evidence ?? [], check),
    where === "service" && record?.verdict && (await import("./secondlooks.js")).secondLooks(item),
    el("p", { class: "row" }, el("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("inspect.close"))),
  );
  byId("inspection")?.remove();
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

const contents = ({ texts, manifests }, evidence, check) =>
  el("div", {}, marks(evidence), manifests.length > 0 && credentials(manifests, check), listOfTexts(texts));

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

function credentials(manifests, check) {
  const known = new Map(manifests.map((manifest) => [manifest.label, manifest]));
  return el(
    "section", {},
    el("h3", {}, t("inspect.credentials")),
    el("p", { class: "hint" }, t("inspect.credentials.hint")),
    el("ul", { class: "chain", dir: "auto" }, chain(manifests[0], known, new Set(), 0)),
    check,
  );
}

/** The way to have signatures checked here: by a library that is downloaded once, and kept until it is removed. */
async function signatures(file, changed) {
  const told = el("div", { "aria-live": "polite" });
  const start = el("button", { type: "button", class: "button plain" });
  const drop = el("button", { type: "button", class: "link" }, t("inspect.check.remove"));
  const show = async () => {
    const kept = await isKept(VERIFIER);
    start.textContent = kept ? t("inspect.check.kept") : t("inspect.check", { size: bytes(site.credentials.bytes) });
    drop.hidden = !kept;
  };
  const set = (on) => {
    browser.credentials = on;
    if (on) storage?.setItem("credentials", "on");
    else storage?.removeItem("credentials");
    changed();
  };
  start.addEventListener("click", async () => {
    start.disabled = true;
    const loading = (done, total) => told.replaceChildren(t("loading", { done: bytes(done), total: bytes(total) }));
    try {
      const evidence = await checkCredentials(file, loading);
      told.replaceChildren(...evidence.map((item) => el("p", { "data-state": item.detail.state }, claim(item))));
      set(true);
    } catch (error) {
      told.replaceChildren(el("p", { class: "warning" }, t("load.failed", { why: error.message })));
    }
    start.disabled = false;
    await show();
  });
  drop.addEventListener("click", async () => {
    await remove(VERIFIER);
    told.replaceChildren();
    set(false);
    await show();
    start.focus();
  });
  await show();
  return el("div", { class: "row" }, start, drop, told);
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
