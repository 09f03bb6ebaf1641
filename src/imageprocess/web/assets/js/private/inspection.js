// Lists a file's named texts and C2PA manifests (port of provenance/inspection.py and c2pa/identities.py). Nothing is
// verified here; a record's evidence says what holds.

import { utf8 } from "./bytes.js";
import { decodeCbor } from "./cbor.js";
import { readClaims, summarise } from "./claims.js";
import { parseJson } from "./generation.js";
import { isC2paStore } from "./jpeg-records.js";
import { printable } from "./statements.js";
import { TABLE } from "./tools-table.js";

const MAX_TEXT = 20_000; // characters listed of one text
const MAX_NAMES = 16;

/** `file`: result of parseMetadata. -> {texts: [{place, name, text, characters}], manifests}, the active manifest first. */
export const inspection = (file) => ({
  texts: file.texts.all.map(({ place, name, text }) => ({
    place, name: printable(name, 200), text: printable(text, MAX_TEXT), characters: [...text].length,
  })),
  manifests: file.store && isC2paStore(file.store) ? listManifests(readClaims(file.store)) : [],
});

function listManifests(claims) {
  if (!claims) return [];
  const labels = new Set(claims.manifests.keys());
  return [...claims.manifests].reverse().map(([label, manifest]) => {
    const summary = summarise(claims.manifests, label, labels);
    return {
      label: printable(label, 200),
      active: label === claims.active,
      claim_generator: manifest.generator ? printable(String(manifest.generator), 200) : null,
      says: summary.pointsTo,
      software: summary.agents.map((name) => printable(name, 200)),
      assertions: manifest.assertions.map((one) => printable(one.label, 100)),
      identities: manifest.assertions.filter((one) => one.label.startsWith("cawg.identity")).map(({ data }) => printable(identity(data), 300)),
      soft_bindings: softBindings(manifest),
      ingredients: manifest.ingredients.map(({ relationship, title, child }) => ({
        relationship: String(relationship), title: printable(String(title ?? ""), 200), manifest: child,
      })),
    };
  });
}

/** Names of watermarks and fingerprints that link a picture without metadata to its manifest. */
function softBindings({ assertions }) {
  const bindings = assertions.filter(({ label, data }) => label.startsWith("c2pa.soft-binding") && data instanceof Map);
  return bindings.map(({ data }) => {
    const algorithm = String(data.get("alg") ?? "");
    const known = Object.entries(TABLE.c2pa.soft_bindings).find(([prefix]) => algorithm.startsWith(prefix));
    return printable(known ? known[1] : algorithm, 200);
  });
}

/** "name, role (signature type)" of a CAWG identity assertion. */
function identity(data) {
  const payload = data instanceof Map ? data.get("signer_payload") : null;
  if (!(payload instanceof Map)) return "unreadable";
  const role = payload.get("role");
  const roles = (Array.isArray(role) ? role : []).map((each) => String(each).replace(/^cawg\./, ""));
  const names = namesIn(data.get("signature")).join(", ") || "no name";
  return `${[names, ...roles].join(", ")} (${payload.get("sig_type") ?? "unknown kind"})`;
}

/** Verified names in a COSE_Sign1 signature: [protected header, unprotected header, payload, signature]. */
function namesIn(signature) {
  if (!(signature instanceof Uint8Array)) return [];
  let envelope;
  try {
    envelope = decodeCbor(signature);
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
  const isSigned = Array.isArray(envelope) && envelope.length === 4 && envelope[2] instanceof Uint8Array;
  const credential = isSigned ? parseJson(utf8(envelope[2])) : null;
  const get = (map, name) => (map instanceof Map ? map.get(name) : undefined);
  const verified = get(get(credential, "credentialSubject"), "verifiedIdentities");
  return (Array.isArray(verified) ? verified : []).slice(0, MAX_NAMES).flatMap((one) => {
    const name = get(one, "name") || get(one, "username") || get(one, "uri");
    const by = get(get(one, "provider"), "name");
    if (typeof name !== "string" || !name) return [];
    return [typeof by === "string" && by ? `${name} by ${by}` : name];
  });
}
