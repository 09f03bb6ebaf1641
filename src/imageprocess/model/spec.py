"""A model is a folder without code. `model.json` describes everything that is needed to run it; this module reads it.

model.onnx      the graph: input `pixels` (N, 3, H, W) float32, outputs `logits` (N, 2) and optionally `heatmap`
                (N, h, w): the contribution of each region to logit(ai) - logit(real). With `views` in model.json:
                `pixels` (N, V, 3, H, W), the whole image first, then crops; `heatmap` (N, V, h, w), and
                `view_logits` (N, V - 1)
model.json      name, version, classes, input, calibration, thresholds, hashes, training data, measurements
CARD.md         the measurements, written by `evaluate`
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..types import MODES, Mode, ModelInfo, Thresholds
from .base.spec import BaseSpec, parse_base

SCHEMA = 1
CLASSES = ("ai_image", "real_image")
FILTERS = ("box", "bilinear", "bicubic", "lanczos")  # Pillow's names in lower case


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How pixels become the graph's input: resized without keeping the aspect ratio, then (x / 255 - mean) / std."""

    width: int
    height: int
    filter: str  # one of FILTERS
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    reducing_gap: float | None = None  # of Pillow's resize: box averaging first, then the filter


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """Number of crops at native resolution that the model reads together with the whole image, see `views`."""

    crops: int


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
    facts: Mapping[str, Any]  # the content of model.json
    views: ViewSpec | None = None  # None: only the whole image, without an axis of views
    base: BaseSpec | None = None  # the encoder that `model get` composes it from; None: the graph ships
    smallest_px: int = 0  # longer side of the smallest training image; 0: unknown

    @property
    def onnx_path(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def grades(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Measured accuracy of a grade on images of known origin, as in records; None if it was not measured."""
        measured = dict(self.facts.get("measured", {}).get("grades", {}))
        by = measured.pop("by", None)
        return by and {grade: {**figures, **measured} for grade, figures in by.items()}

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.name, self.version, self.onnx_sha256)


def dump_facts(facts: Mapping[str, Any]) -> str:
    """The text of model.json, one field per line: compact, because the pages load it."""
    lines = (f" {json.dumps(name)}: {json.dumps(value)}" for name, value in facts.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load_spec(folder: Path) -> ModelSpec:
    """Read `folder`/model.json. Raises ModelError naming the field that is missing or wrong."""
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
    input_facts, calibration = facts["input"], facts["calibration"]
    return ModelSpec(
        folder=folder,
        name=str(facts["name"]),
        version=str(facts["version"]),
        input=InputSpec(
            width=_size(input_facts, "width"),
            height=_size(input_facts, "height"),
            filter=_filter(input_facts["filter"]),
            mean=_triple(input_facts, "mean"),
            std=_triple(input_facts, "std", above=0),
            reducing_gap=_gap(input_facts.get("reducing_gap")),
        ),
        temperature=_number(calibration["temperature"], "temperature", above=0),
        bias=_number(calibration["bias"], "bias"),
        thresholds={mode: _thresholds(facts["thresholds"][mode], mode) for mode in MODES},
        has_heatmap="heatmap" in facts["outputs"],
        onnx_sha256=_graph_sha256(facts),
        facts=facts,
        views=ViewSpec(_count(facts["views"], "crops")) if "views" in facts else None,
        base=parse_base(facts["base"]) if "base" in facts else None,
        smallest_px=int(facts.get("training", {}).get("smallest_px", 0)),
    )


def _size(facts: Mapping[str, Any], name: str) -> int:
    if not int(facts[name]) >= 1:
        raise ValueError(f"{name} is {facts[name]}; it must be 1 or more")
    return int(facts[name])


def _graph_sha256(facts: Mapping[str, Any]) -> str:
    """Empty for a model that is not composed yet."""
    files = facts["files"]
    return str(files.get("model.onnx", "") if "base" in facts else files["model.onnx"])


def _count(facts: Mapping[str, Any], name: str) -> int:
    if not 1 <= int(facts[name]) <= 5:
        raise ValueError(f"{name} is {facts[name]}; it must be from 1 to 5")
    return int(facts[name])


def _filter(name: str) -> str:
    if name not in FILTERS:
        raise ValueError(f"filter is {name!r}; it must be one of {', '.join(FILTERS)}")
    return name


def _number(value: float, name: str, *, above: float = -math.inf) -> float:
    if not above < float(value) < math.inf:
        raise ValueError(
            f"{name} is {value}; it must be a finite number" + (" above 0" if above == 0 else "")
        )
    return float(value)


def _triple(facts: Mapping[str, Any], name: str, *, above: float = -math.inf) -> tuple[float, float, float]:
    red, green, blue = (_number(value, name, above=above) for value in facts[name])
    return red, green, blue


def _thresholds(facts: Mapping[str, Any], mode: Mode) -> Thresholds:
    limits = Thresholds(ai=float(facts["ai"]), real=float(facts["real"]))
    if not 0 <= limits.real <= limits.ai <= 1:
        raise ValueError(
            f"thresholds of {mode} are ai {limits.ai} and real {limits.real}; 0 <= real <= ai <= 1 must hold"
        )
    return limits


def _gap(value: float | None) -> float | None:
    if value is not None and not float(value) >= 1:
        raise ValueError(f"reducing_gap is {value}; it must be 1 or more")
    return None if value is None else float(value)
