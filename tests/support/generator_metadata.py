"""Generator metadata of one file, read through the whole provenance pipeline."""

from __future__ import annotations

from imageprocess.provenance import read_provenance
from imageprocess.types import Evidence
from testkit.records import facts


def generator_evidence(data: bytes, form: str = "PNG", **size: int) -> Evidence:
    (item,) = read_provenance(data, facts(form, **size))
    assert item.kind == "generator_metadata" and item.trust == "unsigned"
    assert item.detail["proves"] and item.detail["does_not_prove"]
    return item
