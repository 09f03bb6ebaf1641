// Status codes -> how far a manifest can be trusted (provenance/c2pa/state.py). Decided from the codes (C2PA
// specification, "Validation states"), not from the library's one-word summary.

// What is wrong with the signer, or with the time of signing, leaves the content and the claim intact; a producer that
// did not keep to the standard is no reason for trust, but nothing was changed since.
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
  if (changed.length || !matches || !success.includes("claimSignature.validated")) {
    const why = "the content or the claim could not be matched with the signature";
    return { state: "broken", failures: changed.length ? changed : [why] };
  }
  return { state: isTrusted(success, failure) ? "trusted" : "untrusted", failures: failure };
}

/** Manifest label -> the worst state that any manifest naming it as an ingredient gives it. */
export function ingredientStates(manifests, results) {
  const deltas = new Map((results.ingredientDeltas ?? []).map((one) => [String(one?.ingredientAssertionURI), one?.validationDeltas ?? {}]));
  const states = new Map();
  for (const [owner, manifest] of Object.entries(manifests)) {
    for (const { active_manifest: child, label, validation_results: told, validation_status: oldest } of manifest?.ingredients ?? []) {
      if (typeof child !== "string") continue;
      const recorded = told?.activeManifest ?? {};
      // As recorded by the oldest producers: failures alone.
      const failure = [...(recorded.failure ?? []), ...(Array.isArray(oldest) ? oldest : [])];
      const delta = deltas.get(`self#jumbf=/c2pa/${owner}/c2pa.assertions/${label}`) ?? {};
      const state = ingredientState({ ...recorded, failure }, delta);
      const worst = Math.max(ORDER.indexOf(state), ORDER.indexOf(states.get(child) ?? "trusted"));
      states.set(child, ORDER[worst]);
    }
  }
  return states;
}

/** What its importer recorded, and what is different now. Content hashes of ingredients cannot be checked any more. */
function ingredientState(recorded, delta) {
  const [newSuccess, newFailure] = [codes(delta.success), codes(delta.failure)];
  const success = [...codes(recorded.success), ...newSuccess];
  const failure = [...codes(recorded.failure), ...newFailure];
  const validated = ["claimSignature.validated", "ingredient.manifest.validated"].some((code) => success.includes(code));
  if (tampering(failure).length || !validated) return "broken";
  const isJudgedNow = [...newSuccess, ...newFailure].some((code) => code.startsWith("signingCredential.")); // our list, not the importer's
  const trusted = isJudgedNow ? isTrusted(newSuccess, newFailure) : isTrusted(success, failure);
  return trusted ? "trusted" : "untrusted";
}
