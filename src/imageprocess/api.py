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
    """Was one picture made by an AI? It is a path, an http(s) address, bytes, a binary stream, a PIL image or an
    array (H, W, 3) uint8 in RGB order. Give the file rather than its pixels where there is one: records and
    signatures are in the file.

    Raises an ImageProcessError that says what is wrong. See `Detector.detect` for the options.
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
    """One Result for each picture, in order, read lazily; one that fails is a Result with an `error`."""
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
    """A loaded network is kept, so that a loop over `detect` pays for it once, until its model.json is another."""
    try:
        facts = (registry.resolve(model) / "model.json").read_bytes()
    except (ModelError, OSError):
        facts = b""  # told when the model is asked, which it may not be
    return _kept(model, facts)


@functools.lru_cache(maxsize=4)
def _kept(model: str | Path | None, _: bytes) -> Detector:
    return Detector(model)
