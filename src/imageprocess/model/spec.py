"""A model is a folder, not code. `model.json` says all that a runner must know; this module reads it.

model.onnx      the graph: input `pixels` (N, 3, H, W) float32, outputs `logits` (N, 2) and, where the network
                gives one, `heatmap` (N, h, w): each place's contribution to logit(ai) - logit(real)
model.json      this file's subject
CARD.md         what was measured, written by `evaluate`
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..types import MODES, Mode, ModelInfo

SCHEMA = 1
CLASSES = ("ai_image", "real_image")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How pixels become the graph's input: resized whatever the aspect ratio, then (x/255 - mean)/std."""

    width: int
    height: int
    filter: str  # a Pillow resampling filter's name, lower case
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    reducing_gap: float | None = None  # Pillow's: means of whole cells, then the filter on what is left


@dataclass(frozen=True, slots=True)
class Thresholds:
    """probability_ai >= ai is "ai", <= real is "real", between them "unsure"."""

    ai: float
    real: float


@dataclass(frozen=True, slots=True)
class ModelSpec:
    folder: Path
    name: str
    version: str
    input: InputSpec
    temperature: float  # probability_ai = sigmoid((logit_ai - logit_real) / temperature + bias)
    bias: float
    thresholds: Mapping[Mode, Thresholds]
    has_heatmap: bool
    onnx_sha256: str
    facts: Mapping[str, Any]  # the whole of model.json
    smallest_px: int = 0  # the longer side of the smallest picture that it was trained on; 0: not known

    @property
    def onnx_path(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.name, self.version, self.onnx_sha256)


def dump_facts(facts: Mapping[str, Any]) -> str:
    """model.json's text: a line a fact. The pages load it, so its figures are not spread over hundreds of lines."""
    lines = (f" {json.dumps(name)}: {json.dumps(value)}" for name, value in facts.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load_spec(folder: Path) -> ModelSpec:
    """Read `folder`/model.json. Raises ModelError that says what is missing or wrong."""
    path = folder / "model.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: not a model folder (no model.json in it)") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error
    try:
        return _parse(folder, facts)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: a field is missing or wrong ({error!r})") from error


def _parse(folder: Path, facts: dict[str, Any]) -> ModelSpec:
    if facts["schema"] != SCHEMA:
        raise ModelError(
            f"{folder}: model.json has schema {facts['schema']}; this version reads schema {SCHEMA}"
        )
    if tuple(facts["classes"]) != CLASSES:
        raise ModelError(
            f"{folder}: classes are {facts['classes']}; they must be {list(CLASSES)}, in that order"
        )
    given = facts["input"]
    return ModelSpec(
        folder=folder,
        name=str(facts["name"]),
        version=str(facts["version"]),
        input=InputSpec(
            width=int(given["width"]),
            height=int(given["height"]),
            filter=str(given["filter"]),
            mean=_triple(given["mean"]),
            std=_triple(given["std"]),
            reducing_gap=_gap(given.get("reducing_gap")),
        ),
        temperature=float(facts["calibration"]["temperature"]),
        bias=float(facts["calibration"]["bias"]),
        thresholds={mode: Thresholds(**facts["thresholds"][mode]) for mode in MODES},
        has_heatmap="heatmap" in facts["outputs"],
        onnx_sha256=str(facts["files"]["model.onnx"]),
        facts=facts,
        smallest_px=int(facts.get("training", {}).get("smallest_px", 0)),
    )


def _triple(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _gap(value: float | None) -> float | None:
    if value is not None and not float(value) >= 1:
        raise ValueError(f"reducing_gap is {value}; it must be 1 or more")
    return None if value is None else float(value)
