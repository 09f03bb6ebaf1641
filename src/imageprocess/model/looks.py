"""Explains a result: the score of each view, the closest training sources, and the answers for copies that are re-saved
and reduced as websites and messengers do.

The copies are deterministic, so that the same image gets the same answer.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .calibrate import probability_ai

if TYPE_CHECKING:
    from .session import Output, Session

Pixels = NDArray[np.uint8]  # (H, W, 3)
CLOSEST = 3
_NEAR_HALF = 0.05  # a chance that is nearer to a half is on neither side, as in verdict.json


def explain(pixels: Pixels, output: Output, session: Session) -> dict[str, Any]:
    """`detail.explain` of the model's evidence. `output`: the model's outputs for the image itself."""
    spec = session.spec
    details: dict[str, Any] = {}
    if output.view_readings:
        details["views"] = _views(output, spec.facts.get("training", {}).get("views_alone"))
    if output.embedding is not None and session.training_sources is not None:
        details["closest_sources"] = session.training_sources.closest(output.embedding, CLOSEST)
    outputs = session.run([session.prepare(make(Image.fromarray(pixels))) for make in COPIES.values()])
    chances = [
        probability_ai(copy.logits[0] - copy.logits[1], spec.temperature, spec.bias) for copy in outputs
    ]
    own = probability_ai(output.logits[0] - output.logits[1], spec.temperature, spec.bias)
    side = "neither" if abs(own - 0.5) < _NEAR_HALF else "ai" if own > 0.5 else "real"
    details["copies"] = {
        "side": side,
        "same_side": None if side == "neither" else sum((chance > 0.5) == (own > 0.5) for chance in chances),
        "total": len(chances),
        "lowest": round(min(chances), 4),
        "highest": round(max(chances), 4),
        "each": [
            {"copy": name, "probability_ai": round(chance, 4)}
            for name, chance in zip(COPIES, chances, strict=True)
        ],
    }
    return details


def _views(output: Output, cuts: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """A view's `reading` is the mean of its heat map, a linear and uncalibrated logit; `logit` is the head's, of a crop
    beside the whole picture. `cuts`: beyond which readings a `side` is told, by model.json."""
    views: list[dict[str, Any]] = []
    for number, reading in enumerate(output.view_readings):
        view = {"view": f"crop {number}" if number else "whole", "reading": round(reading, 3)}
        if cuts:
            cut = cuts["crop" if number else "whole"]
            view["side"] = "ai" if reading > cut["ai"] else "real" if reading < cut["real"] else "neither"
        if number and number <= len(output.view_logits):
            view["logit"] = round(output.view_logits[number - 1], 3)
        views.append(view)
    return views


def _saved(image: Image.Image, form: str, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, form, quality=quality)
    with Image.open(stream, formats=[form]) as saved:
        return saved.convert("RGB")


def _shrunk(image: Image.Image, long_side: float) -> Image.Image:
    factor = long_side / max(image.size)
    if factor >= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _trimmed(image: Image.Image) -> Image.Image:
    """Crop a tenth off each edge."""
    across, down = image.width // 10, image.height // 10
    return image.crop((across, down, image.width - across, image.height - down))


def _copy(change: Callable[[Image.Image], Image.Image]) -> Callable[[Image.Image], Pixels]:
    return lambda image: np.asarray(change(image))


COPIES: Mapping[str, Callable[[Image.Image], Pixels]] = {
    "JPEG 90": _copy(lambda image: _saved(image, "JPEG", 90)),
    "JPEG 70": _copy(lambda image: _saved(image, "JPEG", 70)),
    "JPEG 50": _copy(lambda image: _saved(image, "JPEG", 50)),
    "WebP 75": _copy(lambda image: _saved(image, "WEBP", 75)),
    "1024 px, JPEG 75 twice": _copy(
        lambda image: _saved(_saved(_shrunk(image, 1024), "JPEG", 75), "JPEG", 75)
    ),
    "720 px, JPEG 60": _copy(lambda image: _saved(_shrunk(image, 720), "JPEG", 60)),
    "half the size, JPEG 85": _copy(lambda image: _saved(_shrunk(image, max(image.size) / 2), "JPEG", 85)),
    "edges cut off, JPEG 85": _copy(lambda image: _saved(_trimmed(image), "JPEG", 85)),
}
