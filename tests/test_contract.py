"""The public record, key by key, as documented: names that must not change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from imageprocess import errors
from imageprocess.detector import Detector
from imageprocess.report.records import to_json
from imageprocess.types import GRADES, Source
from testkit.pictures import encode, plain

OK_KEYS = ["schema", "source", "status", "sha256", "image", "verdict", "evidence", "model", "elapsed_ms"]
CODES = {"too_large", "too_many_pixels", "unsupported_format", "corrupt", "timeout", "crashed", "not_found"}


def _record(data: bytes, model: Path, **question: Any) -> dict[str, Any]:
    (result,) = Detector(model).detect_many([Source("a.png", data)], **question)
    record: dict[str, Any] = json.loads(to_json(result))
    return record


@pytest.mark.parametrize("brightness", [0, 140, 255])
def test_record_of_image(tiny_model_dir: Path, brightness: int) -> None:
    record = _record(encode(plain(brightness), "PNG"), tiny_model_dir)
    assert list(record) == OK_KEYS
    assert (record["schema"], record["source"], record["status"]) == (1, "a.png", "ok")
    assert re.fullmatch("[0-9a-f]{64}", record["sha256"])
    assert list(record["image"]) == ["format", "width", "height", "frames", "bytes"]
    verdict = record["verdict"]
    assert list(verdict)[:4] == ["label", "probability_ai", "decided_by", "reason"]
    assert verdict["grade"] in GRADES and verdict["advice"]
    assert "measured" not in verdict  # this model has no measurements
    assert verdict["label"] in ("ai", "real", "unsure")
    assert 0 <= verdict["probability_ai"] <= 1
    assert verdict["decided_by"] in ("c2pa", "watermark", "metadata", "model", "abstain")
    assert verdict["reason"].endswith((".", ")"))
    for item in record["evidence"]:
        assert {"kind", "claim", "trust", "detail"} <= set(item)
        assert item["kind"] in ("c2pa", "iptc", "generator_metadata", "exif", "watermark", "model")
        assert item["trust"] in ("trusted", "valid_untrusted", "broken", "unsigned", "measured")
        assert isinstance(item["detail"], dict)
    assert list(record["model"]) == ["name", "version", "sha256"]
    assert re.fullmatch("[0-9a-f]{64}", record["model"]["sha256"])
    assert isinstance(record["elapsed_ms"], float)


def test_record_without_model_has_same_keys(tiny_model_dir: Path) -> None:
    record = _record(encode(plain(9), "PNG"), tiny_model_dir, only=["provenance"])
    assert list(record) == OK_KEYS
    assert record["model"] is None and record["verdict"]["probability_ai"] is None


def test_record_of_failed_input(tiny_model_dir: Path) -> None:
    record = _record(b"text", tiny_model_dir)
    assert list(record) == ["schema", "source", "status", "error"]
    assert (record["schema"], record["source"], record["status"]) == (1, "a.png", "error")
    assert list(record["error"]) == ["code", "message"]
    assert record["error"]["code"] == "unsupported_format"


def test_error_codes_are_documented() -> None:
    assert {error.code for error in errors.InputError.__subclasses__()} == CODES
