// The dialog with all metadata of a file: machine-readable AI marks, the chain of Content Credentials manifests, and all
// texts. The file is always read in this page, wherever it was checked. Loaded on demand.

import { addStyle, byId, el } from "./dom.js";
import { checkCredentials, inspect, removeDownload } from "./private/client.js";
import { isCached } from "./private/download-cache.js";
import { site } from "./site.js";
import { storage } from "./storage.js";
import { addTexts, bytes, number, t } from "./i18n.js";
import { browser } from "./backends.js";
import { claim } from "./wording.js";

addStyle("inspect.css");
await addTexts("inspect");

const MARKS = ["c2pa", "iptc", "aigc", "watermark", "generator_metadata"];
const AIGC = ["China's AIGC label", "Tencent Cloud's AIGC label"];
const VERIFIER = new URL("assets/c2pa/c2pa_bg.wasm", document.baseURI).href;
const MAX_DEPTH = 16; // generations of ingredients

/** Open the dialog for an item. `onChange()` is called when verification in this browser is switched on or off. */
export async function openInspection(item, onChange) {
  const { name, file, record, where } = item;
  const metadata = await inspect(file);
  const verification = site.credentials && metadata.manifests?.length ? await verificationControls(file, onChange) : null;
  const dialog = el(
    "dialog", { id: "inspection", "aria-labelledby": "inspection-title" },
    el("h2", { id: "inspection-title" }, t("inspect.title")),
    el("p", { class: "hint" }, el("bdi", {}, name)),
    metadata.error ? el("p", { class: "warning" }, t("inspect.failed")) : contents(metadata, record?.evidence ?? [], verification),
    where === "service" && record?.verdict && (await import("./explain.js")).explainSection(item),
    el("p", { class: "row" }, el("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("inspect.close"))),
  );
  byId("inspection")?.remove();
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

const contents = ({ texts, manifests }, evidence, verification) =>
  el("div", {}, marks(evidence), manifests.length > 0 && credentials(manifests, verification), listOfTexts(texts));

/** {kind of mark: "says" (AI), "present" or "absent"} (as report/marks.py). */
export function findMarks(evidence) {
  const states = Object.fromEntries(MARKS.map((kind) => [kind, "absent"]));
  for (const { kind, points_to: points, detail } of evidence) {
    const isAigc = kind === "generator_metadata" && AIGC.some((name) => String(detail?.generator ?? "").startsWith(name));
    const mark = isAigc ? "aigc" : kind;
    if (mark in states && states[mark] !== "says") states[mark] = ["ai", "ai_edited"].includes(points) ? "says" : "present";
  }
  return states;
}

function marks(evidence) {
  const rows = Object.entries(findMarks(evidence)).flatMap(([kind, state]) => [
    el("dt", {}, t(`inspect.mark.${kind}`)),
    el("dd", { "data-mark": kind, "data-state": state }, t(`inspect.state.${state}`)),
  ]);
  return el("section", {}, el("h3", {}, t("inspect.marks")), el("dl", { class: "record" }, rows), el("p", { class: "hint" }, t("inspect.no-verdict")));
}

function credentials(manifests, verification) {
  const known = new Map(manifests.map((manifest) => [manifest.label, manifest]));
  return el(
    "section", {},
    el("h3", {}, t("inspect.credentials")),
    el("p", { class: "hint" }, t("inspect.credentials.hint")),
    el("ul", { class: "chain", dir: "auto" }, chain(manifests[0], known, new Set(), 0)),
    verification,
  );
}

/** Buttons to verify signatures in this browser with a library that is downloaded once and kept until removed. */
async function verificationControls(file, onChange) {
  const output = el("div", { "aria-live": "polite" });
  const verify = el("button", { type: "button", class: "button plain" });
  const removeButton = el("button", { type: "button", class: "link" }, t("inspect.check.remove"));
  const update = async () => {
    const cached = await isCached(VERIFIER);
    verify.textContent = cached ? t("inspect.check.kept") : t("inspect.check", { size: bytes(site.credentials.bytes) });
    removeButton.hidden = !cached;
  };
  const setEnabled = (on) => {
    browser.credentials = on;
    if (on) storage?.setItem("credentials", "on");
    else storage?.removeItem("credentials");
    onChange();
  };
  verify.addEventListener("click", async () => {
    verify.disabled = true;
    const showProgress = (done, total) => output.replaceChildren(t("loading", { done: bytes(done), total: bytes(total) }));
    try {
      const evidence = await checkCredentials(file, showProgress);
      output.replaceChildren(...evidence.map((item) => el("p", { "data-state": item.detail.state }, claim(item))));
      setEnabled(true);
    } catch (error) {
      output.replaceChildren(el("p", { class: "warning" }, t("load.failed", { why: error.message })));
    }
    verify.disabled = false;
    await update();
  });
  removeButton.addEventListener("click", async () => {
    await removeDownload(VERIFIER);
    output.replaceChildren();
    setEnabled(false);
    await update();
    verify.focus();
  });
  await update();
  return el("div", { class: "row" }, verify, removeButton, output);
}

/** A manifest as list item, with its ingredients below it. */
function chain(manifest, known, visited, depth) {
  const ancestors = new Set(visited).add(manifest.label);
  const parts = manifest.ingredients.map(({ relationship, title, manifest: label }) => {
    const child = known.get(label ?? "");
    const isNew = child && !ancestors.has(child.label) && depth < MAX_DEPTH;
    return el(
      "li", {},
      `${relationship}${title ? ` “${title}”` : ""}${child ? "" : ` · ${t("inspect.no-credentials")}`}`,
      isNew && el("ul", {}, chain(child, known, ancestors, depth + 1)),
    );
  });
  const facts = [["software", "software"], ["identities", "identity"], ["soft_bindings", "soft-binding"]].flatMap(([key, text]) =>
    manifest[key].map((value) => el("li", { class: "hint" }, `${t(`inspect.${text}`)}: ${value}`)),
  );
  const name = manifest.claim_generator ?? t("inspect.unnamed");
  return el("li", {}, el("b", {}, name), ` · ${t(`inspect.says.${manifest.says}`)}`, el("ul", {}, facts, parts));
}

function listOfTexts(texts) {
  return el(
    "section", {},
    el("h3", {}, `${t("inspect.texts")} (${number(texts.length)})`),
    texts.length ? texts.map(textDetails) : el("p", {}, t("inspect.none")),
  );
}

const textDetails = ({ place, name, text, characters }) =>
  el(
    "details", { class: "text" },
    el("summary", {}, `${place} · `, el("b", {}, el("bdi", {}, name)), ` (${number(characters)})`),
    el("pre", { dir: "auto" }, text),
  );
