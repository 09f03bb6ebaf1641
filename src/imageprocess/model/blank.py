"""Detects blank images. Training sets contain none, and models classify them as real."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GRID = 64  # minimum number of sampled pixels per side, if the image has that many
_MAX_DEVIATION = 8  # levels from the median, in every channel: more than the noise of JPEG
_MIN_SHARE = (
    0.98  # of the sampled pixels; 2 of 4,000 images of the data set reach it, a chart and a rendering
)


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    """Whether nearly all of the image (H, W, 3) uint8 has one colour. JavaScript port: private/blank.js."""
    height, width = pixels.shape[:2]
    sample = pixels[:: max(1, height // GRID), :: max(1, width // GRID)].reshape(-1, 3)
    median = np.sort(sample, axis=0)[len(sample) // 2].astype(np.int16)
    near = np.abs(sample.astype(np.int16) - median).max(axis=1) <= _MAX_DEVIATION
    return int(near.sum()) >= _MIN_SHARE * len(sample)
