// Turns Content Credentials into evidence (port of provenance/c2pa). If the C2PA library has verified them, its report is
// judged as the service judges it; otherwise the evidence states the claims and that nothing was verified.

import { readClaims, summarise } from "./claims.js";
import { activeState, ingredientStates } from "./credential-state.js";
import { isC2paStore } from "./jpeg-records.js";
import { evidence, printable } from "./statements.js";

const SAYS = {
  ai: "that this picture was made by generative AI",
  ai_edited: "that this picture was edited with generative AI, or has parts made by it",
  real: "that this picture was taken with a camera and not edited",
  nothing: "nothing about whether this picture was made by AI or by a camera",
};
const WHY = "the browser does not check it here; the service does";
const EXPIRED = "the certificate had expired, and no trusted time stamp says when it was used";
const FROM_INGREDIENT = "ingredient.signer.untrusted";
const TRUST = { trusted: "trusted", untrusted: "valid_untrusted" };

/** Items of evidence. `verified`: result of verifier.js, or null if nothing was verified. */
export function readC2pa(store, xmp, verified) {
  if (store && isC2paStore(store)) return verified ? verifiedEvidence(store, verified) : [unverified(store)];
  const address = xmp.get("{http://purl.org/dc/terms/}provenance") ?? "";
  if (!/^https?:\/\//.test(address)) return [];
  return [
    evidence("c2pa", "The file refers to Content Credentials that are stored elsewhere; they were not fetched.", "unsigned", "nothing", {
      proves: "That the file contains an address.",
      does_not_prove: "That anything is stored there, or what it says.",
      state: "not_verified",
      address: printable(address, 500),
    }),
  ];
}

/** The manifest's claims without verification: no better than an unsigned note. */
function unverified(store, why = WHY) {
  const claims = readClaims(store);
  if (!claims) return notVerified(why);
  const summary = summarise(claims.manifests, claims.active, new Set(claims.manifests.keys()));
  const { generator } = claims.manifests.get(claims.active);
  const name = printable(String(generator || "an unnamed program"), 120);
  const claim = `Content Credentials by ${name} say ${SAYS[summary.pointsTo]}; their signature was not checked: ${why}.`;
  return evidence("c2pa", claim, "unsigned", summary.pointsTo, {
    proves: "That the file contains a manifest that says so.",
    does_not_prove: "That anyone signed it, or that it belongs to this picture: none of this was checked.",
    state: "not_verified",
    generator,
    model: summary.agents.join(", "),
    signals: summary.signals,
    manifests: summary.manifests,
  });
}

const notVerified = (why) =>
  evidence("c2pa", `A Content Credentials manifest is present, not verified: ${why}.`, "unsigned", "nothing", {
    proves: "That the file contains a manifest.",
    does_not_prove: "Anything that the manifest says: its signature was not checked.",
    state: "not_verified",
  });

function verifiedEvidence(store, { report, list, isLegacy, unreadable: why, refused }) {
  if (refused) return [notVerified(refused)];
  const claims = readClaims(store);
  if (why !== undefined || !claims) return [unreadable(`the library reports: ${printable(why ?? "no claim", 200)}`)];
  const results = report.validation_results ?? {};
  const active = String(report.active_manifest);
  const facts = signerFacts(report.manifests?.[active] ?? {});
  const { state, failures } = activeState(results.activeManifest ?? {});
  if (state === "contradictory") return [unreadable("one of their content hashes matches the picture, and another does not")];
  if (state === "unchecked") return [unverified(store, EXPIRED)];
  if (state === "broken") return [broken(failures, facts)];
  const states = ingredientStates(report.manifests ?? {}, results);
  const labelsWhere = (test) => new Set([...states].filter(([, each]) => test(each)).map(([label]) => label));
  const intact = labelsWhere((each) => each !== "broken");
  const summary = summarise(claims.manifests, active, state === "trusted" ? labelsWhere((each) => each === "trusted") : intact);
  const items = [signedEvidence(state, summary, facts, failures, list, isLegacy)];
  if (state === "trusted") {
    // What an untrusted ingredient adds is only as trustworthy as that ingredient's signer.
    const withUntrusted = summarise(claims.manifests, active, intact);
    if (withUntrusted.pointsTo !== summary.pointsTo && ["ai", "ai_edited"].includes(withUntrusted.pointsTo)) {
      items.push(signedEvidence("untrusted", withUntrusted, facts, [FROM_INGREDIENT], list, isLegacy));
    }
  }
  return items;
}

function signedEvidence(state, summary, facts, failures, list, isLegacy) {
  const signer = printable(String(facts.signer || "an unnamed signer"), 120);
  let subject = `Content Credentials signed by ${signer}, which is not trusted (${reason(failures, list)}), say`;
  let does_not_prove = "Who signed it, or that the claim is true: anyone can sign with their own certificate.";
  if (state === "trusted") {
    subject = `Content Credentials signed by ${signer}, which is on the ${isLegacy ? "frozen interim trust list (legacy)" : "trust list"}, say`;
    does_not_prove = "That the signer told the truth or was not deceived, or what the picture shows.";
  } else if (failures.includes(FROM_INGREDIENT)) {
    subject = "The Content Credentials of a part, by a signer that is not trusted, say";
    does_not_prove = "Who signed that part's record, or that it is true.";
  }
  const { generator, ...others } = facts;
  return evidence("c2pa", `${subject} ${SAYS[summary.pointsTo]}.`, TRUST[state], summary.pointsTo, {
    proves: "That neither the picture nor this record was changed since it was signed.",
    does_not_prove,
    state: state === "trusted" && isLegacy ? "legacy" : state,
    generator,
    model: summary.agents.join(", "),
    signals: summary.signals,
    manifests: summary.manifests,
    trust_list: list ? `${list.count} certificates${list.fetched ? `, fetched ${list.fetched}` : ""}` : "none installed",
    codes: failures,
    ...others,
  });
}

function reason(failures, list) {
  if (failures.includes("signingCredential.invalid")) return "the certificate does not follow the current profile";
  if (failures.some((code) => code.includes("revoked"))) return "the certificate was revoked";
  if (!list) return "no trust list is installed";
  if (["signingCredential.expired", "claimSignature.outsideValidity"].some((code) => failures.includes(code))) return "the certificate had expired";
  if (failures.includes("signingCredential.untrusted")) return "not on the trust list";
  return failures.length ? `the record does not conform to the standard: ${failures[0]}` : "not on the trust list";
}

const broken = (failures, facts) =>
  evidence("c2pa", "The file's Content Credentials are broken: the picture or the record was changed after signing.", "broken", "nothing", {
    proves: "That what is in the file now is not what was signed.",
    does_not_prove: "Who changed it or why: resaving, resizing and deliberate forgery all break the signature.",
    state: "broken",
    codes: failures,
    ...facts,
  });

const unreadable = (why) =>
  evidence("c2pa", `Content Credentials are present, but they could not be read: ${why}.`, "unsigned", "nothing", {
    proves: "That the file contains a manifest.",
    does_not_prove: "Anything that the manifest says, or that anything was changed.",
    state: "unreadable",
  });

function signerFacts({ signature_info: signature, claim_generator_info: infos, claim_generator: generator }) {
  const [info] = Array.isArray(infos) ? infos : [];
  return {
    generator: info?.name || generator,
    signer: signature?.issuer,
    certificate: signature?.common_name,
    signed_at: signature?.time,
  };
}
