// Decides from C2PA status codes how far a manifest can be trusted (port of provenance/c2pa/state.py). The codes are used
// (C2PA specification, "Validation states"), not the library's one-word summary.

// Problems with the signer or the signing time leave the content and the claim intact. A producer that did not follow the
// standard is not trusted, but nothing was changed since signing.
const HARMLESS = /^(signingCredential\.|timeStamp\.|claimSignature\.outsideValidity)|\.(malformed|invalid|unsupported)$/;
const MATCHES = /^assertion\.(dataHash|boxesHash|bmffHash|collectionHash|multiAssetHash)\.match$/;
const MISMATCHES = /^assertion\.(dataHash|boxesHash|bmffHash|collectionHash|multiAssetHash)\.mismatch$/;
const ORDER = ["trusted", "untrusted", "broken"];

const codes = (entries) => (Array.isArray(entries) ? entries.map((entry) => String(entry?.code)) : []);
const tampering = (failure) => failure.filter((code) => !HARMLESS.test(code));
const isTrusted = (success, failure) =>
  success.includes("signingCredential.trusted") && failure.every((code) => code.startsWith("timeStamp."));

/** The active manifest's {state, failures}. `results`: the report's `validation_results.activeManifest`. */
export function activeState(results) {
  const [success, failure] = [codes(results.success), codes(results.failure)];
  const changed = tampering(failure);
  const matches = success.some((code) => MATCHES.test(code));
  if (changed.length && matches && changed.every((code) => MISMATCHES.test(code))) return { state: "contradictory", failures: changed };
  // The WebAssembly library does not check signatures of expired certificates unless a trusted time stamp dates them.
  const isExpired = failure.includes("signingCredential.expired") && !success.includes("claimSignature.validated");
  if (!changed.length && matches && isExpired) return { state: "unchecked", failures: failure };
  if (changed.length || !matches || !success.includes("claimSignature.validated")) {
    const why = "the content or the claim could not be matched with the signature";
    return { state: "broken", failures: changed.length ? changed : [why] };
  }
  return { state: isTrusted(success, failure) ? "trusted" : "untrusted", failures: failure };
}

/** Map of manifest label -> the worst state it has as an ingredient of any manifest. */
export function ingredientStates(manifests, results) {
  const deltas = new Map((results.ingredientDeltas ?? []).map((delta) => [String(delta?.ingredientAssertionURI), delta?.validationDeltas ?? {}]));
  const states = new Map();
  for (const [owner, manifest] of Object.entries(manifests)) {
    for (const { active_manifest: child, label, validation_results: ingredientResults, validation_status: legacyStatus } of manifest?.ingredients ?? []) {
      if (typeof child !== "string") continue;
      const recorded = ingredientResults?.activeManifest ?? {};
      // The oldest producers recorded failures only.
      const failure = [...(recorded.failure ?? []), ...(Array.isArray(legacyStatus) ? legacyStatus : [])];
      const delta = deltas.get(`self#jumbf=/c2pa/${owner}/c2pa.assertions/${label}`) ?? {};
      const state = ingredientState({ ...recorded, failure }, delta);
      const worst = Math.max(ORDER.indexOf(state), ORDER.indexOf(states.get(child) ?? "trusted"));
      states.set(child, ORDER[worst]);
    }
  }
  return states;
}

/** State from what the importer recorded and what changed since. Content hashes of ingredients can no longer be checked. */
function ingredientState(recorded, delta) {
  const [newSuccess, newFailure] = [codes(delta.success), codes(delta.failure)];
  const success = [...codes(recorded.success), ...newSuccess];
  const failure = [...codes(recorded.failure), ...newFailure];
  const validated = ["claimSignature.validated", "ingredient.manifest.validated"].some((code) => success.includes(code));
  if (tampering(failure).length || !validated) return "broken";
  const isRevalidated = [...newSuccess, ...newFailure].some((code) => code.startsWith("signingCredential.")); // against our trust list, not the importer's
  const trusted = isRevalidated ? isTrusted(newSuccess, newFailure) : isTrusted(success, failure);
  return trusted ? "trusted" : "untrusted";
}
