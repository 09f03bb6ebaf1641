"""The two functions of the package: `imageprocess.detect` and `imageprocess.detect_many`."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from .detector import Detector
from .errors import ModelError
from .model import registry
from .sources import Picture
from .types import Check, Mode, Result

__all__ = ["detect", "detect_many"]


def detect(
    picture: Picture,
    *,
    mode: Mode = "balanced",
    threshold: float | None = None,
    model: str | Path | None = None,
    only: Collection[Check] | None = None,
    heatmap: bool = False,
) -> Result:
    """Whether one picture was made by an AI. `picture`: a path, an http(s) address, bytes, a binary stream, a PIL image
    or an array (H, W, 3) uint8 in RGB order. Pass the file rather than its pixels if there is one: metadata and
    signatures are in the file.

    Raises ImageProcessError, whose message says what is wrong. See `Detector.detect` for the options.
    """
    detector = _detector(model)
    return detector.detect(picture, mode=mode, threshold=threshold, only=only, heatmap=heatmap)


def detect_many(
    pictures: Iterable[Picture],
    *,
    mode: Mode = "balanced",
    threshold: float | None = None,
    model: str | Path | None = None,
    only: Collection[Check] | None = None,
    heatmap: bool = False,
    batch_size: int = 16,
    jobs: int = 1,
) -> Iterator[Result]:
    """Yields one Result per picture, in order. Pictures are read lazily; one that fails gives a Result with an
    `error`. Raises ModelError or UsageError at the call."""
    return _detector(model).detect_many(
        pictures,
        mode=mode,
        threshold=threshold,
        only=only,
        heatmap=heatmap,
        batch_size=batch_size,
        jobs=jobs,
    )


def _detector(model: str | Path | None) -> Detector:
    """A cached detector, so that a loop over `detect` loads the network once; a changed model.json loads it again."""
    try:
        model_json = (registry.resolve(model) / "model.json").read_bytes()
    except (ModelError, OSError):
        model_json = b""  # reported if the model is run, which `only` may exclude
    return _cached_detector(model, model_json)


@functools.lru_cache(maxsize=4)
def _cached_detector(model: str | Path | None, _: bytes) -> Detector:
    return Detector(model)
