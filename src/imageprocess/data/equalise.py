"""Gives the files of both classes the same statistics, so that a model can learn only from the image content.

AI images are mostly square PNGs and real ones camera JPEGs; a network learns this shortcut (arXiv 2403.17608
measured 11 points across generators). Both classes go through the same random pipeline of aspect ratios,
sizes, encoders and qualities. It is deterministic in its seed, so test splits are reproducible.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION = 2  # increase it with any change of the output: cached copies are then made again
LONG_SIDE = 512  # pixels; `prepare` reduces larger images to this
ASPECTS = (2 / 3, 3 / 2)  # width / height, log-uniform
AREA_SCALE = (0.8, 1.0)  # of the largest window with that aspect ratio, a side
SIDES = (224, 448)  # the long side that is encoded, log-uniform
QUALITIES = (40, 95)  # JPEG and WebP, uniform
SECOND_ROUND_SHARE = 0.3  # share with an additional JPEG round before the last encoding
_WEBP_SHARE = 0.2
FULL_CHROMA_SHARE = 0.2  # 4:4:4 instead of 4:2:0
_FILTERS = (
    Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Equalised:
    """A degraded image: its encoded file and its decoded pixels."""

    data: bytes
    format: str  # "JPEG" or "WEBP"
    quality: int
    pixels: NDArray[np.uint8]  # (H, W, 3), decoded from `data`


def picture_seed(sha256: str) -> int:
    """The seed of an image in validation and test, derived from its file."""
    return int(sha256[:12], 16)


def prepare(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> the image, reduced to a long side of at most LONG_SIDE. Deterministic."""
    height, width = pixels.shape[:2]
    scale = LONG_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def equalise(pixels: NDArray[np.uint8], seed: int) -> Equalised:
    """(H, W, 3) uint8 -> a random window of the image, resized and re-encoded. Deterministic in `seed`."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(prepare(pixels))
    box = _window(image.size, rng)
    side = _log_uniform(rng, *SIDES)
    width, height = box[2] - box[0], box[3] - box[1]
    scale = side / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = image.resize(size, _FILTERS[rng.integers(len(_FILTERS))], box=box)
    if rng.random() < SECOND_ROUND_SHARE:
        image = _reopened(image, _quality(rng))
    quality = _quality(rng)
    webp = rng.random() < _WEBP_SHARE
    full_chroma = rng.random() < FULL_CHROMA_SHARE
    stream = io.BytesIO()
    if webp:
        image.save(stream, "WEBP", quality=quality, method=0)
    else:
        image.save(stream, "JPEG", quality=quality, subsampling=0 if full_chroma else 2)
    with Image.open(stream, formats=["WEBP" if webp else "JPEG"]) as encoded:
        decoded = np.asarray(encoded.convert("RGB"))
    return Equalised(stream.getvalue(), "WEBP" if webp else "JPEG", quality, decoded)


def _quality(rng: np.random.Generator) -> int:
    return int(rng.integers(QUALITIES[0], QUALITIES[1] + 1))


def _reopened(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream, formats=["JPEG"])


def _window(size: tuple[int, int], rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A box (left, top, right, bottom) with a random aspect ratio, independent of the image's own."""
    aspect = _log_uniform(rng, *ASPECTS)
    scale = rng.uniform(*AREA_SCALE)
    width = scale * min(size[0], size[1] * aspect)
    height = width / aspect
    left = rng.uniform(0, size[0] - width)
    top = rng.uniform(0, size[1] - height)
    return left, top, left + width, top + height


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
