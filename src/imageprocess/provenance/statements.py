"""Builds items of evidence: a claim, what it proves, and what it does not prove, one sentence each."""

from __future__ import annotations

import math
from typing import Any

from ..types import Evidence, EvidenceKind, PointsTo, Trust

_MAX_TEXT = 8_000  # characters of one field
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
    """An Evidence whose detail has the two sentences and those of `facts` that are not empty, truncated."""
    present = {name: _truncate(value) for name, value in facts.items() if value not in (None, "", {}, [], ())}
    return Evidence(
        kind, claim, trust, points_to, {"proves": proves, "does_not_prove": does_not_prove, **present}
    )


def _truncate(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {
            printable(str(name), 200): _truncate(item) for name, item in list(value.items())[:_MAX_SETTINGS]
        }
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    if isinstance(value, list | tuple):
        return [_truncate(item) for item in value[:_MAX_SETTINGS]]
    return value


def printable(text: str, limit: int = _MAX_TEXT) -> str:
    """`text` without control characters (a terminal would execute them), at most `limit` characters."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in cut)
