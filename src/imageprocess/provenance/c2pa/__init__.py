"""Reads evidence from Content Credentials (C2PA), in one of five states:

    trusted    content and claim match the signature, and the signer is on the trust list
    legacy     the same, but the signer is only on the frozen interim list
    untrusted  they match, but the signer is unknown, expired, of an obsolete profile, or violates the standard
    broken     they do not match: the file or its manifest was changed after signing
    none       no manifest: no evidence

and two states without verification: `not_verified`, a manifest is present but was not checked; `unreadable`, the
library cannot parse it or its checks contradict each other, which is not a sign of a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import MissingExtraError
from ...types import Evidence, PointsTo, Trust
from ..containers.jpeg import is_c2pa_store
from ..statements import evidence, printable
from ..trust import TrustList, find_interim_list, find_trust_list
from .claims import read_claims
from .history import History, summarise
from .jumbf import is_sane
from .library import UnreadableManifestError, read_manifest_store
from .state import State, active_state, ingredient_state

__all__ = ["read_c2pa"]

_PROVENANCE = "{http://purl.org/dc/terms/}provenance"
_STATEMENTS: dict[PointsTo, str] = {
    "ai": "that this picture was made by generative AI",
    "ai_edited": "that this picture was edited with generative AI, or has parts made by it",
    "real": "that this picture was taken with a camera and not edited",
    "nothing": "nothing about whether this picture was made by AI or by a camera",
}
_FROM_INGREDIENT = "ingredient.signer.untrusted"
_TRUST: dict[State, Trust] = {
    "trusted": "trusted", "untrusted": "valid_untrusted", "contradictory": "unsigned", "broken": "broken",
}  # fmt: skip


def read_c2pa(
    data: bytes, image_format: str, store: bytes | None, xmp: Mapping[str, str], trust_list: Path | None
) -> list[Evidence]:
    """`store`: the manifest store in the container, or None. `trust_list`: None for the default one."""
    if store is None or not is_c2pa_store(store):
        remote = xmp.get(_PROVENANCE, "")
        return [_remote(remote)] if remote.startswith(("http://", "https://")) else []
    if not is_sane(store):
        return [_not_verified("its boxes are too many or nested too deeply")]
    signers = find_trust_list(trust_list)
    try:
        report = read_manifest_store(data, image_format, signers.pem if signers else "")
    except MissingExtraError as error:
        return [_claimed(store, error.reason, error.remedy)]
    except UnreadableManifestError as error:
        return [_unreadable(f"the library reports: {printable(str(error), 200)}")]
    evidence = _verified(report, signers)
    interim = find_interim_list()
    if interim and "signingCredential.untrusted" in evidence[0].detail.get("codes", []):
        both = interim.pem + (signers.pem if signers else "")
        legacy = _verified(read_manifest_store(data, image_format, both), interim)
        evidence = legacy if legacy[0].trust == "trusted" else evidence
    return evidence


def _verified(report: Mapping[str, Any], signers: TrustList | None) -> list[Evidence]:
    """The evidence in the library's report on verified credentials."""
    results = _mapping(report.get("validation_results"))
    manifests = _mapping(report.get("manifests"))
    active = str(report.get("active_manifest"))
    facts = _signer_facts(_mapping(manifests.get(active)))
    state, failures = active_state(_mapping(results.get("activeManifest")))
    if state == "contradictory":
        # Truepic's files of 2023 have two content hashes, of which one matches.
        return [_unreadable("one of their content hashes matches the picture, and another does not")]
    if state == "broken":
        return [_broken(failures, facts)]
    ingredients = _ingredient_states(manifests, results)
    intact = {label for label, ingredient in ingredients.items() if ingredient != "broken"}
    trusted = {label for label, ingredient in ingredients.items() if ingredient == "trusted"}
    history = summarise(manifests, active, trusted if state == "trusted" else intact)
    evidence = [_intact(state, history, facts, failures, signers)]
    if state == "trusted":
        # Claims of an untrusted ingredient are only as trustworthy as its signer.
        wider = summarise(manifests, active, intact)
        if wider.points_to != history.points_to and wider.points_to in ("ai", "ai_edited"):
            evidence.append(_intact("untrusted", wider, facts, [_FROM_INGREDIENT], signers))
    return evidence


def _ingredient_states(manifests: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, State]:
    """Manifest label -> its worst state among the manifests that have it as an ingredient."""
    deltas = {}
    for delta in results.get("ingredientDeltas") or []:
        deltas[str(_mapping(delta).get("ingredientAssertionURI"))] = _mapping(
            _mapping(delta).get("validationDeltas")
        )
    states: dict[str, State] = {}
    for owner, manifest in manifests.items():
        for item in _mapping(manifest).get("ingredients") or []:
            ingredient = _mapping(item)
            child = ingredient.get("active_manifest")
            if not isinstance(child, str):
                continue
            recorded = dict(_mapping(_mapping(ingredient.get("validation_results")).get("activeManifest")))
            statuses = ingredient.get("validation_status")
            if isinstance(statuses, list):  # the oldest producers record only failures, in this form
                recorded["failure"] = [*recorded.get("failure", []), *statuses]
            uri = f"self#jumbf=/c2pa/{owner}/c2pa.assertions/{ingredient.get('label')}"
            state = ingredient_state(recorded, deltas.get(uri, {}))
            states[child] = max(
                state, states.get(child, "trusted"), key=["trusted", "untrusted", "broken"].index
            )
    return states


def _intact(
    state: State, history: History, facts: Mapping[str, Any], failures: list[str], signers: TrustList | None
) -> Evidence:
    signer = printable(str(facts.get("signer") or "an unnamed signer"), 120)
    if state == "trusted":
        list_name = "frozen interim trust list (legacy)" if signers and signers.is_interim else "trust list"
        subject = f"Content Credentials signed by {signer}, which is on the {list_name}, say"
        does_not_prove = "That the signer told the truth or was not deceived, or what the picture shows."
    elif _FROM_INGREDIENT in failures:
        subject = "The Content Credentials of a part, by a signer that is not trusted, say"
        does_not_prove = "Who signed that part's record, or that it is true."
    else:
        reason = _reason(failures, signers)
        subject = f"Content Credentials signed by {signer}, which is not trusted ({reason}), say"
        does_not_prove = (
            "Who signed it, or that the claim is true: anyone can sign with their own certificate."
        )
    return evidence(
        "c2pa",
        f"{subject} {_STATEMENTS[history.points_to]}.",
        _TRUST[state],
        history.points_to,
        proves="That neither the picture nor this record was changed since it was signed.",
        does_not_prove=does_not_prove,
        state="legacy" if state == "trusted" and signers and signers.is_interim else state,
        generator=facts.get("generator"),
        model=", ".join(history.agents),
        signals=history.signals,
        manifests=history.manifests,
        trust_list=signers.describe() if signers else "none installed",
        codes=failures,
        remedy=None if signers else "imageprocess trust update",
        **{name: value for name, value in facts.items() if name != "generator"},
    )


def _reason(failures: list[str], signers: TrustList | None) -> str:
    """Why the signer is not trusted."""
    if "signingCredential.invalid" in failures:
        return "the certificate does not follow the current profile"
    if any("revoked" in code for code in failures):
        return "the certificate was revoked"
    if signers is None:
        return "no trust list is installed"
    if "signingCredential.expired" in failures or "claimSignature.outsideValidity" in failures:
        return "the certificate had expired"
    if "signingCredential.untrusted" in failures:
        return "not on the trust list"
    return (
        f"the record does not conform to the standard: {failures[0]}" if failures else "not on the trust list"
    )


def _broken(failures: list[str], facts: Mapping[str, Any]) -> Evidence:
    return evidence(
        "c2pa",
        "The file's Content Credentials are broken: the picture or the record was changed after signing.",
        "broken",
        "nothing",
        proves="That what is in the file now is not what was signed.",
        does_not_prove="Who changed it or why: resaving, resizing and deliberate forgery all break the signature.",
        state="broken",
        codes=failures,
        **facts,
    )


def _claimed(store: bytes, why: str, remedy: str | None) -> Evidence:
    """The evidence in a manifest whose signature could not be checked: like unsigned metadata."""
    report = read_claims(store)
    if report is None:
        return _not_verified(why, remedy)
    manifests = report["manifests"]
    history = summarise(manifests, report["active_manifest"], manifests.keys())
    facts = _signer_facts(manifests[report["active_manifest"]])
    generator = printable(str(facts["generator"] or "an unnamed program"), 120)
    statement = _STATEMENTS[history.points_to]
    return evidence(
        "c2pa",
        f"Content Credentials by {generator} say {statement}; their signature was not checked: {why}.",
        "unsigned",
        history.points_to,
        proves="That the file contains a manifest that says so.",
        does_not_prove="That anyone signed it, or that it belongs to this picture: none of this was checked.",
        state="not_verified",
        generator=facts["generator"],
        model=", ".join(history.agents),
        signals=history.signals,
        manifests=history.manifests,
        remedy=remedy,
    )


def _unreadable(why: str) -> Evidence:
    return evidence(
        "c2pa",
        f"Content Credentials are present, but they could not be read: {why}.",
        "unsigned",
        "nothing",
        proves="That the file contains a manifest.",
        does_not_prove="Anything that the manifest says, or that anything was changed.",
        state="unreadable",
    )


def _not_verified(why: str, remedy: str | None = None) -> Evidence:
    """`remedy`: a command for the operator; web pages do not show it."""
    return evidence(
        "c2pa",
        f"A Content Credentials manifest is present, not verified: {why}.",
        "unsigned",
        "nothing",
        proves="That the file contains a manifest.",
        does_not_prove="Anything that the manifest says: its signature was not checked.",
        state="not_verified",
        remedy=remedy,
    )


def _remote(address: str) -> Evidence:
    return evidence(
        "c2pa",
        "The file refers to Content Credentials that are stored elsewhere; they were not fetched.",
        "unsigned",
        "nothing",
        proves="That the file contains an address.",
        does_not_prove="That anything is stored there, or what it says.",
        state="not_verified",
        address=printable(address, 500),
    )


def _signer_facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    signature = _mapping(manifest.get("signature_info"))
    infos = manifest.get("claim_generator_info")
    info = _mapping(infos[0]) if isinstance(infos, list) and infos else {}
    return {
        "generator": info.get("name") or manifest.get("claim_generator"),
        "signer": signature.get("issuer"),
        "certificate": signature.get("common_name"),
        "signed_at": signature.get("time"),
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
