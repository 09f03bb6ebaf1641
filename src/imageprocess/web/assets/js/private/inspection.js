// All that a file says of itself: its named texts and its credentials' manifests (provenance/inspection.py and
// c2pa/identities.py). Nothing is verified here; the evidence of a record says what holds.

import { utf8 } from "./bytes.js";
import { decodeCbor } from "./cbor.js";
import { readClaims, tell } from "./claims.js";
import { parseJson } from "./generation.js";
import { isC2paStore } from "./jpegrecords.js";
import { printable } from "./statements.js";
import { TABLE } from "./table.js";

const MAX_TEXT = 20_000; // characters shown of one text
const MAX_NAMES = 16;

/** `file`: readFile's. -> {texts: [{place, name, text, characters}], manifests: the active one first} */
export const inspection = (file) => ({
  texts: file.texts.all.map(({ place, name, text }) => ({
    place, name: printable(name, 200), text: printable(text, MAX_TEXT), characters: [...text].length,
  })),
  manifests: file.store && isC2paStore(file.store) ? listed(readClaims(file.store)) : [],
});

function listed(found) {
  if (!found) return [];
  const labels = new Set(found.manifests.keys());
  return [...found.manifests].reverse().map(([label, manifest]) => {
    const story = tell(found.manifests, label, labels);
    return {
      label: printable(label, 200),
      active: label === found.active,
      claim_generator: manifest.generator ? printable(String(manifest.generator), 200) : null,
      says: story.pointsTo,
      software: story.agents.map((name) => printable(name, 200)),
      assertions: manifest.assertions.map((one) => printable(one.label, 100)),
      identities: manifest.assertions.filter((one) => one.label.startsWith("cawg.identity")).map(({ data }) => printable(identity(data), 300)),
      soft_bindings: softBindings(manifest),
      ingredients: manifest.ingredients.map(({ relationship, title, child }) => ({
        relationship: String(relationship), title: printable(String(title ?? ""), 200), manifest: child,
      })),
    };
  });
}

/** Watermarks and fingerprints by which a stripped picture can be matched with its manifest again, by name. */
function softBindings({ assertions }) {
  const bindings = assertions.filter(({ label, data }) => label.startsWith("c2pa.soft-binding") && data instanceof Map);
  return bindings.map(({ data }) => {
    const algorithm = String(data.get("alg") ?? "");
    const known = Object.entries(TABLE.c2pa.soft_bindings).find(([prefix]) => algorithm.startsWith(prefix));
    return printable(known ? known[1] : algorithm, 200);
  });
}

/** Who a CAWG identity assertion names, the roles it claims, and the kind of its signature. */
function identity(data) {
  const payload = data instanceof Map ? data.get("signer_payload") : null;
  if (!(payload instanceof Map)) return "unreadable";
  const told = payload.get("role");
  const roles = (Array.isArray(told) ? told : []).map((role) => String(role).replace(/^cawg\./, ""));
  const names = namesIn(data.get("signature")).join(", ") || "no name";
  return `${[names, ...roles].join(", ")} (${payload.get("sig_type") ?? "unknown kind"})`;
}

/** COSE_Sign1: protected header, unprotected header, payload, signature. */
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
