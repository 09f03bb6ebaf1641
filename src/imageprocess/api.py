"""The two functions of the package: `imageprocess.detect` and `imageprocess.detect_many`."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from . import sources
from .detector import Detector
from .types import Mode, Result, Source, Witness

__all__ = ["detect", "detect_many"]

Picture = str | os.PathLike[str] | bytes | BinaryIO | Source


def detect(
    picture: Picture,
    *,
    mode: Mode = "balanced",
    threshold: float | None = None,
    model: str | Path | None = None,
    only: Collection[Witness] | None = None,
    heatmap: bool = False,
) -> Result:
    """Was one picture (a path, bytes or a binary stream) made by an AI?

    Raises an ImageProcessError that says what is wrong. See `Detector.detect` for the options.
    """
    detector = _detector(model)
    source = sources.to_source(picture, max_bytes=detector.limits.max_bytes)
    return detector.detect(source, mode=mode, threshold=threshold, only=only, heatmap=heatmap)


def detect_many(
    pictures: Iterable[Picture],
    *,
    mode: Mode = "balanced",
    threshold: float | None = None,
    model: str | Path | None = None,
    only: Collection[Witness] | None = None,
    heatmap: bool = False,
    batch_size: int = 16,
    jobs: int = 1,
) -> Iterator[Result]:
    """One Result for each picture, in order, read lazily; one that fails is a Result with an `error`."""
    detector = _detector(model)
    return detector.detect_many(
        (sources.to_source(picture, max_bytes=detector.limits.max_bytes) for picture in pictures),
        mode=mode,
        threshold=threshold,
        only=only,
        heatmap=heatmap,
        batch_size=batch_size,
        jobs=jobs,
    )


@functools.lru_cache(maxsize=4)
def _detector(model: str | Path | None) -> Detector:
    """A loaded network is kept: a loop over `detect` pays for it once."""
    return Detector(model)
