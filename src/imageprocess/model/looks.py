"""Explains a result: the score of each view, the closest training sources, and the probabilities for degraded copies,
re-saved and reduced in size as websites and messengers do.

The copies are deterministic, so that the same image always gets the same explanation.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .evidence import probability_ai

if TYPE_CHECKING:
    from .session import Output, Session

Pixels = NDArray[np.uint8]  # (H, W, 3)
CLOSEST = 3
_NEAR_HALF = 0.05  # a probability this close to 0.5 is on neither side, as in verdict.json


def explain(pixels: Pixels, output: Output, session: Session) -> dict[str, Any]:
    """`detail.explain` of the model's evidence. `output`: the model's output for `pixels` themselves."""
    spec = session.spec
    details: dict[str, Any] = {}
    if output.view_readings:
        details["views"] = _views(output, spec.facts.get("training", {}).get("views_alone"))
    if output.embedding is not None and session.training_sources is not None:
        details["closest_sources"] = session.training_sources.closest(output.embedding, CLOSEST)
    outputs = session.run([session.prepare(make(Image.fromarray(pixels))) for make in COPIES.values()])
    probabilities = [
        probability_ai(copy.logits[0] - copy.logits[1], spec.temperature, spec.bias) for copy in outputs
    ]
    own = probability_ai(output.logits[0] - output.logits[1], spec.temperature, spec.bias)
    side = "neither" if abs(own - 0.5) < _NEAR_HALF else "ai" if own > 0.5 else "real"
    details["copies"] = {
        "side": side,
        "same_side": None if side == "neither" else sum((p > 0.5) == (own > 0.5) for p in probabilities),
        "total": len(probabilities),
        "lowest": round(min(probabilities), 4),
        "highest": round(max(probabilities), 4),
        "each": [
            {"copy": name, "probability_ai": round(p, 4)}
            for name, p in zip(COPIES, probabilities, strict=True)
        ],
    }
    return details


def _views(output: Output, thresholds: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """A view's `reading` is the mean of its heat map, a linear and uncalibrated logit; `logit` is that of the head for
    a crop together with the whole image. `thresholds` of the readings for `side`, from model.json."""
    views: list[dict[str, Any]] = []
    for number, reading in enumerate(output.view_readings):
        view = {"view": f"crop {number}" if number else "whole", "reading": round(reading, 3)}
        if thresholds:
            limits = thresholds["crop" if number else "whole"]
            view["side"] = (
                "ai" if reading > limits["ai"] else "real" if reading < limits["real"] else "neither"
            )
        if number and number <= len(output.view_logits):
            view["logit"] = round(output.view_logits[number - 1], 3)
        views.append(view)
    return views


def _resave(image: Image.Image, form: str, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, form, quality=quality)
    with Image.open(stream, formats=[form]) as copy:
        return copy.convert("RGB")


def _reduce(image: Image.Image, long_side: float) -> Image.Image:
    factor = long_side / max(image.size)
    if factor >= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _crop_edges(image: Image.Image) -> Image.Image:
    """Crop a tenth off each edge."""
    across, down = image.width // 10, image.height // 10
    return image.crop((across, down, image.width - across, image.height - down))


def _copy(change: Callable[[Image.Image], Image.Image]) -> Callable[[Image.Image], Pixels]:
    return lambda image: np.asarray(change(image))


COPIES: Mapping[str, Callable[[Image.Image], Pixels]] = {
    "JPEG 90": _copy(lambda image: _resave(image, "JPEG", 90)),
    "JPEG 70": _copy(lambda image: _resave(image, "JPEG", 70)),
    "JPEG 50": _copy(lambda image: _resave(image, "JPEG", 50)),
    "WebP 75": _copy(lambda image: _resave(image, "WEBP", 75)),
    "1024 px, JPEG 75 twice": _copy(
        lambda image: _resave(_resave(_reduce(image, 1024), "JPEG", 75), "JPEG", 75)
    ),
    "720 px, JPEG 60": _copy(lambda image: _resave(_reduce(image, 720), "JPEG", 60)),
    "half the size, JPEG 85": _copy(lambda image: _resave(_reduce(image, max(image.size) / 2), "JPEG", 85)),
    "edges cut off, JPEG 85": _copy(lambda image: _resave(_crop_edges(image), "JPEG", 85)),
}
