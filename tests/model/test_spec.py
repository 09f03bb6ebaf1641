"""model.json: fields, defaults, and errors that name the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imageprocess.errors import ModelError
from imageprocess.model.spec import load_spec
from imageprocess.types import MODES, Thresholds

_INPUT = {"width": 1, "height": 1, "filter": "box", "mean": [0, 0, 0], "std": [1, 1, 1]}
_CUTS = {mode: {"ai": 0.5, "real": 0.5} for mode in MODES}


def test_model_json_fields(tiny_model_dir: Path) -> None:
    spec = load_spec(tiny_model_dir)
    assert (spec.name, spec.version, spec.temperature, spec.bias) == ("tiny", "1", 0.5, 0.0)
    assert (spec.input.width, spec.input.height, spec.input.filter) == (32, 32, "bilinear")
    assert spec.input.reducing_gap is None  # older model folders have no such field
    assert tuple(spec.thresholds) == MODES
    assert spec.thresholds["balanced"] == Thresholds(ai=0.8, real=0.2)
    assert spec.has_heatmap
    assert spec.info.sha256 == spec.facts["files"]["model.onnx"]


@pytest.mark.parametrize(("value", "read"), [(None, None), (2, 2.0), (1.5, 1.5)])
def test_reducing_gap_field(
    tiny_model_dir: Path, tmp_path: Path, value: float | None, read: float | None
) -> None:
    facts = json.loads((tiny_model_dir / "model.json").read_text())
    facts["input"]["reducing_gap"] = value
    (tmp_path / "model.json").write_text(json.dumps(facts))
    assert load_spec(tmp_path).input.reducing_gap == read


def _without(facts: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = facts
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return facts


@pytest.mark.parametrize(
    "path",
    [("name",), ("input", "width"), ("calibration",), ("thresholds", "balanced"), ("files", "model.onnx")],
)
def test_missing_field_is_named(tiny_model_dir: Path, tmp_path: Path, path: tuple[str, ...]) -> None:
    facts = _without(json.loads((tiny_model_dir / "model.json").read_text()), *path)
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=path[-1]):
        load_spec(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema 2"),
        ({"classes": ["real_image", "ai_image"]}, "in that order"),
        ({"input": {"width": 1, "height": 1, "filter": "box", "mean": [0.5], "std": [1, 1, 1]}}, "wrong"),
        ({"input": _INPUT | {"reducing_gap": 0.5}}, "reducing_gap"),
        ({"input": _INPUT | {"reducing_gap": float("nan")}}, "reducing_gap"),
        ({"input": _INPUT | {"width": 0}}, "width is 0"),
        ({"input": _INPUT | {"height": -1}}, "height is -1"),
        ({"input": _INPUT | {"filter": "nearest"}}, "filter is 'nearest'"),
        ({"input": _INPUT | {"mean": [0, 0, float("inf")]}}, "mean is inf"),
        ({"input": _INPUT | {"std": [1, 0, 1]}}, "std is 0"),
        ({"calibration": {"temperature": 0, "bias": 0}}, "temperature is 0"),
        ({"calibration": {"temperature": float("inf"), "bias": 0}}, "temperature is inf"),
        ({"calibration": {"temperature": 1, "bias": float("nan")}}, "bias is nan"),
        ({"thresholds": _CUTS | {"balanced": {"ai": 0.1, "real": 0.9}}}, "thresholds of balanced"),
        ({"thresholds": _CUTS | {"best-guess": {"ai": 1.5, "real": 0.5}}}, "thresholds of best-guess"),
    ],
)
def test_invalid_field_is_rejected(
    tiny_model_dir: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    facts = json.loads((tiny_model_dir / "model.json").read_text()) | change
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=message):
        load_spec(tmp_path)


def test_invalid_model_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        load_spec(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_spec(tmp_path)
