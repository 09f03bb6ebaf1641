"""Reads the people and organisations in CAWG identity assertions. They are not verified."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..statements import printable
from .cbor import MalformedError, decode_cbor

_MAX_NAMES = 16


def read_identities(manifest: Mapping[str, Any]) -> list[str]:
    """One line per assertion: the people or organisations it names, the roles it claims, and the kind of its
    signature."""
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
    """The names in the signed credential of an identity aggregator; an X.509 signature has only a certificate.
    COSE_Sign1: protected header, unprotected header, payload, signature."""
    try:
        envelope = decode_cbor(signature) if isinstance(signature, bytes) else None
        credential = json.loads(envelope[2]) if isinstance(envelope, list) and len(envelope) == 4 else None
    except (MalformedError, ValueError, TypeError, RecursionError):
        return []
    subject = credential.get("credentialSubject") if isinstance(credential, dict) else None
    identities = subject.get("verifiedIdentities") if isinstance(subject, dict) else None
    names = []
    for item in identities[:_MAX_NAMES] if isinstance(identities, list) else []:
        identity = item if isinstance(item, dict) else {}
        name = identity.get("name") or identity.get("username") or identity.get("uri")
        provider = identity.get("provider")
        if isinstance(name, str) and name:
            provider_name = provider.get("name") if isinstance(provider, dict) else None
            has_provider = isinstance(provider_name, str) and provider_name
            names.append(f"{name} by {provider_name}" if has_provider else name)
    return names
