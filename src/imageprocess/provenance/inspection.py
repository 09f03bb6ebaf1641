"""The complete metadata of a file: every named text, the manifests of its credentials, and its evidence. No model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..types import Evidence, ImageFacts
from .statements import printable

_MAX_TEXT = 20_000  # characters of one text


def inspect_file(
    data: bytes,
    facts: ImageFacts | None,
    image_format: str,
    watermarks: Sequence[Evidence] = (),
    *,
    trust_list: Path | None = None,
) -> tuple[dict[str, Any], list[Evidence]]:
    """The report as plain dicts and lists, and its evidence. `facts`: from the header, None if that is unreadable.

    `watermarks`: the evidence in the pixels, if they could be decoded.
    """
    from . import read_provenance
    from .file import read_file

    file = read_file(data, image_format)
    image_facts = facts or ImageFacts(image_format, 0, 0, 1, len(data))
    evidence = [*read_provenance(data, image_facts, trust_list=trust_list), *watermarks]
    report = {
        "schema": 1,
        "sha256": hashlib.sha256(data).hexdigest(),
        "format": image_format,
        "width": facts.width if facts else None,
        "height": facts.height if facts else None,
        "bytes": len(data),
        "evidence": [
            {"kind": item.kind, "claim": item.claim, "trust": item.trust, "points_to": item.points_to,
             "detail": dict(item.detail)}
            for item in evidence
        ],
        "texts": [
            {"place": text.place, "name": printable(text.name, 200), "text": printable(text.text, _MAX_TEXT),
             "characters": len(text.text)}
            for text in file.texts.all
        ],
        "exposure": file.exif.numbers,
        "manifests": list_manifests(file.manifest_store),
    }  # fmt: skip
    return report, evidence


def list_manifests(store: bytes | None) -> list[dict[str, Any]]:
    """The manifests of the file's credentials, the active one first, unverified. The evidence has their level of
    trust."""
    from .c2pa.claims import read_claims
    from .c2pa.history import summarise
    from .c2pa.identities import read_identities
    from .c2pa.jumbf import is_sane
    from .containers.jpeg import is_c2pa_store
    from .table import TABLE

    report = read_claims(store) if store and is_c2pa_store(store) and is_sane(store) else None
    if report is None:
        return []
    manifests = []
    for label, manifest in reversed(report["manifests"].items()):
        labels = [assertion["label"] for assertion in manifest["assertions"]]
        history = summarise(report["manifests"], label, report["manifests"].keys())
        manifests.append(
            {
                "label": printable(label, 200),
                "active": label == report["active_manifest"],
                "claim_generator": _generator(manifest),
                "says": history.points_to,
                "software": [printable(agent, 200) for agent in history.agents],
                "assertions": [printable(one, 100) for one in labels],
                "identities": read_identities(manifest),
                "soft_bindings": _soft_bindings(manifest, TABLE["c2pa"]["soft_bindings"]),
                "ingredients": [
                    {
                        "relationship": str(one["relationship"]),
                        "title": printable(str(one["title"] or ""), 200),
                        "manifest": one["active_manifest"],
                    }
                    for one in manifest["ingredients"]
                ],
            }
        )
    return manifests


def _generator(manifest: dict[str, Any]) -> str | None:
    infos = manifest["claim_generator_info"]
    info = infos[0] if isinstance(infos, list) and infos and isinstance(infos[0], dict) else {}
    name = info.get("name") or manifest["claim_generator"]
    return printable(str(name), 200) if name else None


def _soft_bindings(manifest: dict[str, Any], names: dict[str, str]) -> list[str]:
    """Names of the watermarks and fingerprints by which an image without metadata can be matched with its manifest."""
    bindings = []
    for assertion in manifest["assertions"]:
        if assertion["label"].startswith("c2pa.soft-binding") and isinstance(assertion["data"], dict):
            algorithm = str(assertion["data"].get("alg", ""))
            name = next((words for prefix, words in names.items() if algorithm.startswith(prefix)), algorithm)
            bindings.append(printable(name, 200))
    return bindings
