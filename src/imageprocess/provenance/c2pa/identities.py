"""CAWG identity assertions: the people and organisations they name. Read, not verified."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..statements import printable
from .cbor import MalformedError, decode_cbor

_MAX_NAMES = 16


def read_identities(manifest: Mapping[str, Any]) -> list[str]:
    """One line each: the kind of its signature, the roles it claims, and the people or organisations it names."""
    identities = []
    for assertion in manifest.get("assertions") or []:
        if str(assertion.get("label", "")).startswith("cawg.identity"):
            identities.append(printable(_describe(assertion.get("data")), 300))
    return identities


def _describe(data: Any) -> str:
    payload = data.get("signer_payload") if isinstance(data, Mapping) else None
    if not isinstance(payload, Mapping):
        return "unreadable"
    roles = payload.get("role")
    roles = [str(role).removeprefix("cawg.") for role in roles] if isinstance(roles, list) else []
    names = _names(data.get("signature"))
    kind = str(payload.get("sig_type", "unknown kind"))
    return ", ".join([", ".join(names) or "no name", *roles]) + f" ({kind})"


def _names(signature: Any) -> list[str]:
    """Who an identity aggregator's signed credential names; an X.509 signature names its signer by certificate alone.
    COSE_Sign1: protected header, unprotected header, payload, signature."""
    try:
        envelope = decode_cbor(signature) if isinstance(signature, bytes) else None
        credential = json.loads(envelope[2]) if isinstance(envelope, list) and len(envelope) == 4 else None
    except (MalformedError, ValueError, TypeError, RecursionError):
        return []
    subject = credential.get("credentialSubject") if isinstance(credential, dict) else None
    verified = subject.get("verifiedIdentities") if isinstance(subject, dict) else None
    names = []
    for one in verified[:_MAX_NAMES] if isinstance(verified, list) else []:
        provider = one.get("provider") if isinstance(one, dict) else None
        name = (one.get("name") or one.get("username") or one.get("uri")) if isinstance(one, dict) else None
        if isinstance(name, str) and name:
            by = provider.get("name") if isinstance(provider, dict) else None
            names.append(f"{name} by {by}" if isinstance(by, str) and by else name)
    return names
