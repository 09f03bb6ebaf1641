"""Whether there is anything in a picture to judge. No training set has blank ones, and a model calls them real."""

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
    seen = pixels[:: max(1, height // GRID), :: max(1, width // GRID)].reshape(-1, 3)
    middle = np.sort(seen, axis=0)[len(seen) // 2].astype(np.int16)
    near = np.abs(seen.astype(np.int16) - middle).max(axis=1) <= _NEAR
    return int(near.sum()) >= _LEAST_SHARE * len(seen)
