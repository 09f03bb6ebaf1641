"""Converts a Result to the public record, which is the same on the command line, in the service, in batches and on the
web pages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..types import RECORD_SCHEMA, Evidence, Result


def to_record(result: Result) -> dict[str, Any]:
    """The record as plain dicts, lists, strings and numbers, with keys in the documented order (docs/records.md)."""
    record: dict[str, Any] = {"schema": RECORD_SCHEMA, "source": result.source, "status": result.status}
    if result.error is None:
        record |= _findings(result)
    else:
        record["error"] = {"code": result.error.code, "message": result.error.message}
    plain: dict[str, Any] = _plain(record)
    return plain


def _findings(result: Result) -> dict[str, Any]:
    assert result.image is not None and result.verdict is not None  # guaranteed by Result
    image, verdict, model = result.image, result.verdict, result.model
    return {
        "sha256": result.sha256,
        "image": {
            "format": image.format,
            "width": image.width,
            "height": image.height,
            "frames": image.frames,
            "bytes": image.bytes,
        },
        "verdict": {
            "label": verdict.label,
            "probability_ai": verdict.probability_ai,
            "decided_by": verdict.decided_by,
            "reason": verdict.reason,
            "grade": verdict.grade,
            "advice": verdict.advice,
            **({"measured": verdict.measured} if verdict.measured else {}),
        },
        "evidence": [_evidence(item) for item in result.evidence],
        "model": model and {"name": model.name, "version": model.version, "sha256": model.sha256},
        "elapsed_ms": result.elapsed_ms,
    }


def to_json(result: Result, *, indent: int | None = None) -> str:
    """The record as JSON text; on one line unless `indent` is given."""
    return json.dumps(to_record(result), ensure_ascii=False, indent=indent, allow_nan=False)


def _evidence(item: Evidence) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "claim": item.claim,
        "trust": item.trust,
        "points_to": item.points_to,
        "detail": item.detail,
    }


def _plain(value: Any) -> Any:
    """Mappings and sequences as dicts and lists, NumPy values as Python values, types that JSON lacks as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()  # a lone surrogate is not valid text
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None  # JSON has no NaN and no infinity
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if callable(getattr(value, "tolist", None)):
        return _plain(value.tolist())
    return str(value)
