"""Records are valid JSON for arbitrary metadata."""

from __future__ import annotations

import json

import numpy as np
import pytest

from imageprocess.report.records import to_json, to_record
from imageprocess.types import (
    ErrorInfo,
    Evidence,
    ImageFacts,
    ModelInfo,
    Result,
    Verdict,
)

DETAIL = {
    "number": np.float32(0.5),
    "count": np.int64(3),
    "flag": np.bool_(True),
    "array": np.arange(3),
    "nan": float("nan"),
    "infinite": np.float64("inf"),
    "nested": {"tuple": (1, "a", None), 7: [b"bytes"]},
    "text": "ümlaut \x00 \ud800 </script>",
}
RESULT = Result(
    source="a.jpg",
    status="ok",
    sha256="ab" * 32,
    image=ImageFacts("JPEG", 4, 3, 1, 99),
    verdict=Verdict("ai", 1.0, "metadata", "It says so.", "likely_ai", ("original",), {"ai_share": 0.5}),
    evidence=(Evidence("generator_metadata", "Says AI.", "unsigned", "ai", DETAIL),),
    model=ModelInfo("tiny", "1", "cd" * 32),
    elapsed_ms=1.5,
)


def test_record_keys_and_values() -> None:
    assert to_record(RESULT) | {"evidence": None} == {
        "schema": 1,
        "source": "a.jpg",
        "status": "ok",
        "sha256": "ab" * 32,
        "image": {"format": "JPEG", "width": 4, "height": 3, "frames": 1, "bytes": 99},
        "verdict": {
            "label": "ai",
            "probability_ai": 1.0,
            "decided_by": "metadata",
            "reason": "It says so.",
            "grade": "likely_ai",
            "advice": ["original"],
            "measured": {"ai_share": 0.5},
        },
        "evidence": None,
        "model": {"name": "tiny", "version": "1", "sha256": "cd" * 32},
        "elapsed_ms": 1.5,
    }


def test_failed_input_record() -> None:
    result = Result("x", "error", error=ErrorInfo("corrupt", "x: broken"))
    assert to_record(result) == {
        "schema": 1,
        "source": "x",
        "status": "error",
        "error": {"code": "corrupt", "message": "x: broken"},
    }


def test_details_are_plain_json() -> None:
    (evidence,) = to_record(RESULT)["evidence"]
    assert evidence["detail"] == {
        "number": 0.5,
        "count": 3,
        "flag": True,
        "array": [0, 1, 2],
        "nan": None,
        "infinite": None,
        "nested": {"tuple": [1, "a", None], "7": ["b'bytes'"]},
        "text": "ümlaut \x00 \\ud800 </script>",
    }


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_valid_utf_8_and_complete(indent: int | None) -> None:
    text = to_json(RESULT, indent=indent)
    assert json.loads(text.encode()) == to_record(RESULT)
    assert indent or "\n" not in text
