"""Reads a manifest store without checking signatures, into the structure of the library's report.

Content Credentials that cannot be verified count like unsigned metadata and are reported as such. Private mode in the
browser reads them in the same way.
"""

from __future__ import annotations

import json
from typing import Any

from ..containers.isobmff import walk_boxes
from .cbor import MalformedError, decode_cbor

_MAX_MANIFESTS = 64
_MAX_ASSERTIONS = 500


def read_claims(store: bytes) -> dict[str, Any] | None:
    """{"active_manifest": label, "manifests": {label: manifest}}, or None without a claim. The last manifest
    of a store is the active one (C2PA specification, "Locating the active manifest"). `store`: checked by is_sane."""
    manifests: dict[str, Any] = {}
    for kind, start, end in walk_boxes(store, *_inside(store, 0, len(store))):
        label = _label(store, start, end) if kind == b"jumb" else None
        manifest = _manifest(store, start, end) if label else None
        if label and manifest is not None and len(manifests) < _MAX_MANIFESTS:
            manifests.pop(label, None)
            manifests[label] = manifest
    return {"active_manifest": next(reversed(manifests)), "manifests": manifests} if manifests else None


def _inside(store: bytes, start: int, end: int) -> tuple[int, int]:
    """(start, end) of the body of the first box between `start` and `end`."""
    for _, at, stop in walk_boxes(store, start, end):
        return at, stop
    return start, start


def _label(store: bytes, start: int, end: int) -> str | None:
    """The label of a superbox, from its description box: 16 bytes of type, toggles, the label, a zero byte."""
    for kind, at, stop in walk_boxes(store, start, end):
        if kind != b"jumd" or at + 17 > stop or not store[at + 16] & 2:
            return None
        return store[at + 17 : stop].split(b"\0", 1)[0].decode("utf-8", errors="replace")
    return None


def _manifest(store: bytes, start: int, end: int) -> dict[str, Any] | None:
    claim: dict[str, Any] | None = None
    assertions: list[dict[str, Any]] = []
    for kind, at, stop in walk_boxes(store, start, end):
        label = _label(store, at, stop) if kind == b"jumb" else None
        if label in ("c2pa.claim", "c2pa.claim.v2"):
            content = _content(store, at, stop)
            claim = content if isinstance(content, dict) else claim
        elif label == "c2pa.assertions":
            for inner, one, last in walk_boxes(store, at, stop):
                name = _label(store, one, last) if inner == b"jumb" else None
                if name and len(assertions) < _MAX_ASSERTIONS:
                    assertions.append({"label": name, "data": _content(store, one, last)})
    if claim is None:
        return None
    info = claim.get("claim_generator_info")
    return {
        "claim_generator": claim.get("claim_generator"),
        "claim_generator_info": [info] if isinstance(info, dict) else info,
        "assertions": assertions,
        "ingredients": [_ingredient(one) for one in assertions if one["label"].startswith("c2pa.ingredient")],
    }


def _content(store: bytes, start: int, end: int) -> Any:
    for kind, at, stop in walk_boxes(store, start, end):
        try:
            if kind == b"cbor":
                return decode_cbor(store[at:stop])
            if kind == b"json":
                return json.loads(store[at:stop])
        except (MalformedError, ValueError, RecursionError):
            return None
    return None


def _ingredient(assertion: dict[str, Any]) -> dict[str, Any]:
    data = assertion["data"] if isinstance(assertion["data"], dict) else {}
    link = data.get("activeManifest") or data.get("c2pa_manifest")
    url = link.get("url") if isinstance(link, dict) else None
    _, _, rest = url.partition("/c2pa/") if isinstance(url, str) else ("", "", "")
    return {
        "label": assertion["label"],
        "title": data.get("dc:title"),
        "relationship": data.get("relationship"),
        "active_manifest": rest.split("/", 1)[0] or None,
    }
