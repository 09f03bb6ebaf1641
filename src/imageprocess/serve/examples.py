"""Example responses for the OpenAPI document, built by the same code as real ones. The numbers are examples, not
measurements."""

from __future__ import annotations

import json
from typing import Any

from ..errors import UnsupportedFormatError
from ..provenance.statements import evidence
from ..types import GRADES, ErrorInfo, Evidence, ImageFacts, ModelInfo, Result, Thresholds
from ..verdict import decide

_THRESHOLDS = Thresholds(ai=0.9, real=0.1)
_MODEL = ModelInfo("example", "1.0.0", "0" * 64)


def _model_evidence(probability: float) -> Evidence:
    claim = f"According to the model example, the chance that the picture is AI-made is {round(100 * probability)} %."
    detail = {
        "probability_ai": probability,
        "thresholds": {"ai": _THRESHOLDS.ai, "real": _THRESHOLDS.real},
    }
    return Evidence("model", claim, "measured", "ai" if probability >= _THRESHOLDS.ai else "nothing", detail)


def _result(name: str, image: ImageFacts, evidence: list[Evidence]) -> dict[str, Any]:
    verdict = decide(evidence, _THRESHOLDS)
    return Result(name, "ok", "1" * 64, image, verdict, tuple(evidence), _MODEL, elapsed_ms=41.7).to_dict()


_CAMERA = evidence(
    "exif",
    "EXIF facts name a camera: Acme One",
    "unsigned",
    "nothing",
    proves="That somebody wrote these facts into the file.",
    does_not_prove="That this camera took this picture: anyone can copy or change them.",
    make="Acme",
    model="One",
)
RECORD = _result("image", ImageFacts("JPEG", 1200, 800, 1, 245_760), [_model_evidence(0.97)])
_UNSURE = _result("b.jpg", ImageFacts("JPEG", 4000, 3000, 1, 2_170_101), [_CAMERA, _model_evidence(0.42)])
_FAILED = Result(
    "notes.txt", "error", error=ErrorInfo(UnsupportedFormatError.code, "notes.txt: not an image format")
).to_dict()
RESULTS = {"results": [{**RECORD, "source": "a.jpg"}, _UNSURE, _FAILED]}
JOB_LINES = "".join(f"{json.dumps(record)}\n" for record in RESULTS["results"])
JOB = {
    "id": "0" * 32,
    "state": "finished",
    "total": 3,
    "done": 3,
    "verdicts": {"ai": 1, "real": 0, "unsure": 1},
    "grades": dict.fromkeys(GRADES, 0)
    | {record["verdict"]["grade"]: 1 for record in RESULTS["results"] if "verdict" in record},
    "errors": 1,
    "mode": "balanced",
    "created": "2026-01-01T12:00:00Z",
    "ended": "2026-01-01T12:00:01Z",
    "expires": "2026-01-01T13:00:01Z",
    "webhook": {"state": "delivered", "tries": 1},
}
PREDICTION = {
    "label_name": "AI-generated",
    "confidence": 0.97,
    "status": "success",
    "class_id": 1,
    "class_name": "ai_image",
}
