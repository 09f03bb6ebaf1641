"""Status codes -> the trust state of a manifest.

Decided from the codes (C2PA specification, "Validation states"), not from the library's one-word summary: that says
"Valid" for an unknown signer, and "Invalid" for an intact file whose signer's certificate has merely expired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

State = Literal["trusted", "untrusted", "contradictory", "broken"]

# What is wrong with the signer, or with the time of signing, leaves the content and the claim intact.
_ABOUT_THE_SIGNER = ("signingCredential.", "timeStamp.", "claimSignature.outsideValidity")
# The producer did not keep to the standard: no reason to trust it, but nothing was changed since.
_ABOUT_THE_FORM = (".malformed", ".invalid", ".unsupported")
_CONTENT_MATCHES = {
    "assertion.dataHash.match",
    "assertion.boxesHash.match",
    "assertion.bmffHash.match",
    "assertion.collectionHash.match",
    "assertion.multiAssetHash.match",
}

_CONTENT_MISMATCHES = {code.removesuffix("match") + "mismatch" for code in _CONTENT_MATCHES}


def codes(entries: object) -> list[str]:
    """The `code` of each entry of one of the report's lists."""
    if not isinstance(entries, list):
        return []
    return [str(entry.get("code")) for entry in entries if isinstance(entry, Mapping)]


def active_state(results: Mapping[str, Any]) -> tuple[State, list[str]]:
    """The active manifest's state, and the failure codes behind it.

    `results`: the report's `validation_results.activeManifest`.
    """
    success, failure = codes(results.get("success")), codes(results.get("failure"))
    tampering = _tampering(failure)
    if (
        tampering
        and _CONTENT_MATCHES & set(success)
        and all(code in _CONTENT_MISMATCHES for code in tampering)
    ):
        return "contradictory", tampering
    intact = "claimSignature.validated" in success and bool(_CONTENT_MATCHES & set(success))
    if tampering or not intact:
        return "broken", tampering or ["the content or the claim could not be matched with the signature"]
    return ("trusted" if _is_trusted(success, failure) else "untrusted"), failure


def ingredient_state(recorded: Mapping[str, Any], delta: Mapping[str, Any]) -> State:
    """An ingredient manifest's state: what its importer recorded, and what is different now (`delta`).

    Content hashes of ingredients cannot be checked any more: their pixels are gone.
    """
    new_success, new_failure = codes(delta.get("success")), codes(delta.get("failure"))
    success = codes(recorded.get("success")) + new_success
    failure = codes(recorded.get("failure")) + new_failure
    validated = {"claimSignature.validated", "ingredient.manifest.validated"} & set(success)
    if _tampering(failure) or not validated:
        return "broken"
    if any(code.startswith("signingCredential.") for code in new_success + new_failure):
        return (
            "trusted" if _is_trusted(new_success, new_failure) else "untrusted"
        )  # our list, not the importer's
    return "trusted" if _is_trusted(success, failure) else "untrusted"


def _tampering(failure: Iterable[str]) -> list[str]:
    return [c for c in failure if not c.startswith(_ABOUT_THE_SIGNER) and not c.endswith(_ABOUT_THE_FORM)]


def _is_trusted(success: list[str], failure: list[str]) -> bool:
    return "signingCredential.trusted" in success and all(code.startswith("timeStamp.") for code in failure)
