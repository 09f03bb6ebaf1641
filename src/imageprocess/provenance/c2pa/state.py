"""Derives the trust state of a manifest from the status codes of its validation.

The codes are used (C2PA specification, "Validation states") rather than the library's summary, which is "Valid" for an
unknown signer and "Invalid" for an intact file whose certificate has expired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

State = Literal["trusted", "untrusted", "contradictory", "broken"]

# Prefixes of failures about the signer or the time of signing, which leave content and claim intact.
_SIGNER_FAILURES = ("signingCredential.", "timeStamp.", "claimSignature.outsideValidity")
# Suffixes of failures of the producer to follow the standard: not trusted, but nothing was changed after signing.
_FORMAT_FAILURES = (".malformed", ".invalid", ".unsupported")
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
    """The state of the active manifest, and the failure codes that explain it.

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
    """The state of an ingredient's manifest, from the results that were `recorded` when it was added, and the
    differences found now (`delta`).

    Content hashes of ingredients cannot be checked, because their pixels are not in the file.
    """
    new_success, new_failure = codes(delta.get("success")), codes(delta.get("failure"))
    success = codes(recorded.get("success")) + new_success
    failure = codes(recorded.get("failure")) + new_failure
    validated = {"claimSignature.validated", "ingredient.manifest.validated"} & set(success)
    if _tampering(failure) or not validated:
        return "broken"
    if any(code.startswith("signingCredential.") for code in new_success + new_failure):
        # By the trust list in use now, rather than the one in use when it was recorded.
        return "trusted" if _is_trusted(new_success, new_failure) else "untrusted"
    return "trusted" if _is_trusted(success, failure) else "untrusted"


def _tampering(failure: Iterable[str]) -> list[str]:
    """The failures that mean a change after signing."""
    return [c for c in failure if not c.startswith(_SIGNER_FAILURES) and not c.endswith(_FORMAT_FAILURES)]


def _is_trusted(success: list[str], failure: list[str]) -> bool:
    return "signingCredential.trusted" in success and all(code.startswith("timeStamp.") for code in failure)
