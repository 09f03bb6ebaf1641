"""Synthetic images for measurements: as detailed as photographs and identical on every machine."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

SIZES = {"0.3 MP": (640, 480), "1 MP": (1152, 864), "12 MP": (4000, 3000)}
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": 90},
}


def draw(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Sum of noise at every scale."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3), dtype=np.float32)
    for scale in (4, 16, 64, 256):
        small = rng.integers(0, 256, (size[1] // scale + 2, size[0] // scale + 2, 3), dtype=np.uint8)
        total += np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    return Image.fromarray((total / 4).astype(np.uint8))


def encode(image: Image.Image, form: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **FORMATS[form])
    return stream.getvalue()
