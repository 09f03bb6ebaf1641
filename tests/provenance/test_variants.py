"""Each variant of a metadata record is read as expected."""

from __future__ import annotations

import pytest

from imageprocess.decode import sniff
from imageprocess.provenance import read_provenance
from imageprocess.types import PointsTo
from testkit.records import facts
from tests.support.record_variants import variants

VARIANTS = variants()


@pytest.mark.parametrize(("data", "points_to", "tool"), VARIANTS.values(), ids=VARIANTS.keys())
def test_variant_is_read(data: bytes, points_to: PointsTo | None, tool: str | None) -> None:
    evidence = read_provenance(data, facts(sniff(data) or ""))
    assert [item.points_to for item in evidence] == ([points_to] if points_to else [])
    assert tool is None or str(evidence[0].detail["generator"]).startswith(tool)
