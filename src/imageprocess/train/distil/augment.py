"""Augmentation of the student's views.

The teacher saw the whole view as it is stored; the student sees a window of it that is often scaled down and compressed
once more. So it gets other pixels at each draw, against overfitting to the stored copies.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...data.degrade import FILTERS, encode
from .network import INPUT

_SCALE_SHARE, _MAX_SCALE = 0.3, 1.5  # share of windows that are scaled down, by at most this factor
_ENCODE_SHARE, _QUALITIES = 0.3, (40, 96)  # share of windows that are compressed again
_ERASE_SHARE, _ERASE_SCALE = 0.33, (0.15, 0.45)  # share of windows; height and width relative to the side
_ERASED = 127


def random_window(view: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """view (h, w, 3) -> a random window (side, side, 3): scaled down, compressed again and mirrored at random, with
    random erasing (Zhong et al. 2020, arXiv 1708.04896)."""
    cut = side
    if rng.random() < _SCALE_SHARE:
        cut = min(round(side * rng.uniform(1, _MAX_SCALE)), *view.shape[:2])
    top, left = (int(rng.integers(0, length - cut + 1)) for length in view.shape[:2])
    image = Image.fromarray(view[top : top + cut, left : left + cut])
    if cut > side:
        image = image.resize((side, side), FILTERS[rng.integers(len(FILTERS))])
    if rng.random() < _ENCODE_SHARE:
        image = encode(image, int(rng.integers(*_QUALITIES)), rng)
    window = np.array(image)
    if rng.random() < 0.5:
        window = window[:, ::-1]
    if rng.random() < _ERASE_SHARE:
        height, width = (int(side * rng.uniform(*_ERASE_SCALE)) for _ in range(2))
        top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
        window[top : top + height, left : left + width] = _ERASED
    return window


def jitter(views: Tensor, generator: torch.Generator) -> Tensor:
    """(N, side, side, 3) uint8 -> (N, 3, side, side) float32, normalised, with random brightness and contrast."""
    pixels = views.permute(0, 3, 1, 2).float()  # still NHWC in memory, which the convolutions run fastest on
    pixels = (pixels / 255 - INPUT.mean[0]) / INPUT.std[0]
    contrast = 1 + 0.3 * (torch.rand(len(views), 1, 1, 1, generator=generator) - 0.5)
    brightness = 0.3 * (torch.rand(len(views), 1, 1, 1, generator=generator) - 0.5)
    return pixels.mul_(contrast).add_(brightness)
