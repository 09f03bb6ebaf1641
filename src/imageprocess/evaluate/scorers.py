"""Models that score pixels: model folders, and any ONNX image classifier with a short model.json.

The short model.json of an external classifier, which has `onnx` instead of `schema`:

    {"name": "...", "onnx": "file.onnx", "ai_index": 0, "activation": "softmax" | "sigmoid" | "none",
     "input": {"width": 224, "height": 224, "filter": "bilinear", "mean": [r, g, b], "std": [r, g, b]},
     "layout": "squash" | "crop", "threshold": 0.5}

`layout` "crop" scales the short side to the input and crops the centre, as torchvision's classifiers expect;
`ai_index` is ignored if the graph has one output; only `name`, `onnx` and `input` are required.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ModelError
from ..model.evidence import probability_ai
from ..model.preprocess import preprocess
from ..model.session import Session
from ..model.spec import InputSpec, ModelSpec
from ..types import Thresholds

Pixels = NDArray[np.uint8]  # (H, W, 3)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The description of a model in a report."""

    name: str
    version: str
    sha256: str  # of the graph; empty for a command
    thresholds: Mapping[str, Thresholds]  # by mode
    smallest_px: int = 0  # longer side of the smallest training image; 0: unknown

    def too_small(self, sides: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Longer sides in pixels (...) -> mask of the images that are "unsure" in modes that abstain (row 7a of
        `verdict`)."""
        return sides < self.smallest_px


class Scorer(Protocol):
    facts: ModelFacts

    def score(self, pictures: Sequence[Pixels]) -> list[float]:
        """The probability of AI for each image (H, W, 3) uint8."""
        ...


def open_scorer(folder: Path) -> Scorer:
    """The model in `folder`, a model folder or an external classifier. Raises ModelError."""
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}/model.json: cannot be read ({error})") from error
    return ExternalClassifier(folder, facts) if "onnx" in facts else FolderModel(folder)


class FolderModel:
    """A model folder, run as `detect` runs it."""

    def __init__(self, folder: Path) -> None:
        self._session = Session(folder, threads=1)  # processes run in parallel instead
        self._spec: ModelSpec = self._session.spec
        info = self._spec.info
        self.facts = ModelFacts(
            info.name,
            info.version,
            info.sha256,
            {str(mode): limits for mode, limits in self._spec.thresholds.items()},
            self._spec.smallest_px,
        )

    def score(self, pictures: Sequence[Pixels]) -> list[float]:
        outputs = self._session.run([self._session.prepare(pixels) for pixels in pictures])
        return [
            probability_ai(output.logits[0] - output.logits[1], self._spec.temperature, self._spec.bias)
            for output in outputs
        ]


class ExternalClassifier:
    """An ONNX image classifier from elsewhere."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        import onnxruntime

        try:
            input_facts = facts["input"]
            self._input = InputSpec(
                width=int(input_facts["width"]),
                height=int(input_facts["height"]),
                filter=str(input_facts.get("filter", "bilinear")),
                mean=tuple(input_facts["mean"]),
                std=tuple(input_facts["std"]),
            )
            graph = (folder / facts["onnx"]).read_bytes()
            threshold = float(facts.get("threshold", 0.5))
            self._ai_index = int(facts.get("ai_index", 0))
            self._activation = str(facts.get("activation", "softmax"))
            self._crops_centre = facts.get("layout", "squash") == "crop"
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._runtime = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except KeyError as error:
            raise ModelError(f"{folder}/model.json: the field {error} is missing") from error
        except Exception as error:  # ONNX Runtime's exceptions have no public base class
            raise ModelError(f"{folder}: cannot be loaded ({error})") from error
        self._name = self._runtime.get_inputs()[0].name
        self.facts = ModelFacts(
            name=str(facts.get("name", folder.name)),
            version=str(facts.get("version", "")),
            sha256=hashlib.sha256(graph).hexdigest(),
            thresholds={"best-guess": Thresholds(ai=threshold, real=threshold)},
        )

    def score(self, pictures: Sequence[Pixels]) -> list[float]:
        cropped = [self._centre(pixels) if self._crops_centre else pixels for pixels in pictures]
        batch = np.stack([preprocess(pixels, self._input) for pixels in cropped])  # (N, 3, H, W) float32
        outputs = np.asarray(self._runtime.run(None, {self._name: batch})[0], dtype=np.float64)
        values = outputs.reshape(len(pictures), -1)  # (N, classes)
        if self._activation == "softmax" and values.shape[1] > 1:
            exponentials = np.exp(values - values.max(axis=1, keepdims=True))
            values = exponentials / exponentials.sum(axis=1, keepdims=True)
        elif self._activation != "none":
            values = 1 / (1 + np.exp(-values))
        return [float(row[self._ai_index if len(row) > 1 else 0]) for row in values]

    def _centre(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        factor = max(self._input.width / width, self._input.height / height)
        size = (round(width * factor), round(height * factor))
        scaled = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
        top = (scaled.shape[0] - self._input.height) // 2
        left = (scaled.shape[1] - self._input.width) // 2
        return scaled[top : top + self._input.height, left : left + self._input.width]
