"""Content Credentials of one file, read through the whole provenance pipeline."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from imageprocess.provenance import read_provenance
from imageprocess.types import Evidence
from testkit.records import facts

HAS_EXTRA = all(importlib.util.find_spec(name) for name in ("c2pa", "cryptography"))
needs_extra = pytest.mark.skipif(
    not HAS_EXTRA,
    reason="needs the extra [c2pa] and the package cryptography",
)
MIMES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
}
GENERATED, CAPTURED = "trainedAlgorithmicMedia", "digitalCapture"


def read_credentials(data: bytes, trust_list: Path, form: str = "JPEG") -> list[Evidence]:
    evidence = read_provenance(data, facts(form), trust_list=trust_list)
    assert all(
        item.kind == "c2pa" and item.detail["proves"] and item.detail["does_not_prove"] for item in evidence
    )
    return evidence


def single_credential(data: bytes, trust_list: Path, form: str = "JPEG") -> Evidence:
    (item,) = read_credentials(data, trust_list, form)
    return item
