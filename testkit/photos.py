"""Synthetic images as detailed as photographs, for speed measurements."""

from __future__ import annotations

import numpy as np
from PIL import Image

from testkit.pictures import encode


def photo(seed: int, size: tuple[int, int]) -> bytes:
    """A JPEG of noise at every scale; the seed also changes its brightness."""
    rng = np.random.default_rng(seed)
    total = np.full((size[1], size[0], 3), 20.0 * (seed % 5) - 40, dtype=np.float32)
    for scale in (4, 16, 64, 256):
        small = rng.integers(0, 256, (size[1] // scale + 2, size[0] // scale + 2, 3), dtype=np.uint8)
        grown = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(grown, dtype=np.float32) / 4
    return encode(Image.fromarray(total.clip(0, 255).astype(np.uint8)), "JPEG", quality=90)
