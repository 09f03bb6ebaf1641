"""Random mirroring and random shifts. Shifted images are padded by reflection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, 3)


def mirror_and_shift(pixels: Pixels, max_shift: int, rng: np.random.Generator) -> Pixels:
    """Mirror with probability 0.5, then shift by up to `max_shift` pixels. The size stays the same."""
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    return random_shift(pixels, max_shift, rng) if max_shift else pixels


def random_shift(pixels: Pixels, max_shift: int, rng: np.random.Generator) -> Pixels:
    """Shift by -max_shift to max_shift pixels in each direction."""
    y, x = rng.integers(0, 2 * max_shift, 2, endpoint=True).tolist()
    height, width = pixels.shape[:2]
    return pad_reflect(pixels[None], max_shift)[0, y : y + height, x : x + width]


def crop_and_mirror(
    padded: Pixels, height: int, width: int, max_shift: int, rng: np.random.Generator
) -> Pixels:
    """A random window of an image that `pad_reflect` has padded by `max_shift`, mirrored with probability 0.5."""
    positions = 2 * max_shift + 1
    y, x, mirrored = rng.integers(0, (positions, positions, 2)).tolist()
    window = padded[y : y + height, x : x + width]
    return window[:, ::-1] if mirrored else window


def pad_reflect(images: NDArray[np.uint8], margin: int) -> NDArray[np.uint8]:
    """(N, H, W, 3) -> (N, H + 2 * margin, W + 2 * margin, 3)."""
    edge = (margin, margin)
    return np.pad(images, ((0, 0), edge, edge, (0, 0)), mode="reflect")
