"""Pixels -> the network's input. The one preprocessing: training, evaluation, service and batch call it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .spec import InputSpec

_FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> (spec.height, spec.width, 3) uint8.

    Pillow's filters widen when shrinking, so there is no aliasing.
    """
    if pixels.shape[:2] == (spec.height, spec.width):
        return pixels
    shrunk = Image.fromarray(pixels).resize((spec.width, spec.height), _FILTERS[spec.filter])
    return np.asarray(shrunk)


def normalise(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, H, W) float32, (x / 255 - mean) / std."""
    mean = np.asarray(spec.mean, dtype=np.float32)
    std = np.asarray(spec.std, dtype=np.float32)
    scaled = pixels.astype(np.float32) * (1 / (255 * std)) - mean / std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)


def preprocess(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, spec.height, spec.width) float32."""
    return normalise(resize(pixels, spec), spec)
