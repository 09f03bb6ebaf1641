"""Detects blank images. Training sets have none, and models call them real."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GRID = 64  # at least so many places a side are looked at, where there are so many
_NEAR = 8  # levels from the median, in every channel: JPEG's own noise is less
_LEAST_SHARE = (
    0.98  # of the places; of 4,000 pictures of the data set two have so many, a chart and a rendering
)


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    """(H, W, 3) uint8 -> whether nearly all of it is one colour. The pages' port is private/blank.js."""
    height, width = pixels.shape[:2]
    sample = pixels[:: max(1, height // GRID), :: max(1, width // GRID)].reshape(-1, 3)
    middle = np.sort(sample, axis=0)[len(sample) // 2].astype(np.int16)
    near = np.abs(sample.astype(np.int16) - middle).max(axis=1) <= _NEAR
    return int(near.sum()) >= _LEAST_SHARE * len(sample)
