"""How an item of evidence is worded: one sentence that claims, one that says what it proves, one what it does not."""

from __future__ import annotations

import math
from typing import Any

from ..types import Evidence, EvidenceKind, PointsTo, Trust

_MAX_TEXT = 8_000  # characters shown of one record's field
_MAX_SETTINGS = 64


def evidence(
    kind: EvidenceKind,
    claim: str,
    trust: Trust,
    points_to: PointsTo,
    *,
    proves: str,
    does_not_prove: str,
    **facts: Any,
) -> Evidence:
    """An Evidence whose detail holds the two sentences and every fact that is set, long ones cut."""
    present = {
        name: _shortened(value) for name, value in facts.items() if value not in (None, "", {}, [], ())
    }
    return Evidence(
        kind, claim, trust, points_to, {"proves": proves, "does_not_prove": does_not_prove, **present}
    )


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {
            printable(str(name), 200): _shortened(item) for name, item in list(value.items())[:_MAX_SETTINGS]
        }
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value[:_MAX_SETTINGS]]
    return value


def printable(text: str, limit: int = _MAX_TEXT) -> str:
    """`text` without control characters (a terminal would obey them), at most `limit` characters."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in cut)
