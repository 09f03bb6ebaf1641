"""Random degradations of training images, as by web pages, messengers and screenshots; the same for both classes.

`equalise` does this for networks with inputs of 224 px or less. Encoders also read native crops, so sizes are kept
more often here, and one to three encodings follow (several JPEG rounds: arXiv 2511.21507). Deterministic in the seed.
"""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION = 1  # increase it with any change of the output: stored features are then recomputed
CROP_SHARE, CROP_SCALE, CROP_ASPECT = 0.5, (0.6, 1.0), (0.75, 1.33)
KEPT_SIZE_SHARE = 0.35
SIDES = (288, 1600)  # long side in pixels, log-uniform; never enlarged
MAX_SIDE = 3000
ROUNDS, ROUND_SHARES = (1, 2, 3), (0.5, 0.35, 0.15)
QUALITIES, LIGHT_QUALITIES = (38, 95), (75, 98)
WEBP_SHARE, FULL_CHROMA_SHARE, RESIZE_BETWEEN_SHARE, GREY_SHARE = 0.15, 0.2, 0.4, 0.06
FILTERS = (
    Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS,
)  # fmt: skip


def degrade(pixels: NDArray[np.uint8], seed: int, *, light: bool = False) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> a degraded copy, (h, w, 3) uint8.

    `light`: only one encoding of good quality; the size is kept up to MAX_SIDE.
    """
    rng = np.random.default_rng(seed)
    image = Image.fromarray(pixels)
    if light:
        image = _shrink(image, MAX_SIDE, rng)
        return np.asarray(encode(image, int(rng.integers(*LIGHT_QUALITIES)), rng))
    if rng.random() < CROP_SHARE:
        image = image.crop(_window(image.size, rng))
    keeps = rng.random() < KEPT_SIZE_SHARE
    image = _shrink(image, MAX_SIDE if keeps else _log_uniform(rng, *SIDES), rng)
    if rng.random() < GREY_SHARE:
        image = image.convert("L").convert("RGB")
    for number in range(int(rng.choice(ROUNDS, p=ROUND_SHARES))):
        if number and rng.random() < RESIZE_BETWEEN_SHARE:
            image = _shrink(image, max(image.size) * rng.uniform(0.6, 1.0), rng)
        image = encode(image, int(rng.integers(*QUALITIES)), rng)
    return np.asarray(image)


def encode(image: Image.Image, quality: int, rng: np.random.Generator) -> Image.Image:
    """The image after one encoding, as JPEG or WebP."""
    stream = io.BytesIO()
    if rng.random() < WEBP_SHARE:
        image.save(stream, "WEBP", quality=quality, method=0)
    else:
        image.save(stream, "JPEG", quality=quality, subsampling=0 if rng.random() < FULL_CHROMA_SHARE else 2)
    with Image.open(stream, formats=["JPEG", "WEBP"]) as encoded:
        return encoded.convert("RGB")


def _shrink(image: Image.Image, long_side: float, rng: np.random.Generator) -> Image.Image:
    scale = long_side / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, FILTERS[rng.integers(len(FILTERS))])


def _window(size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    width, height = size
    scale, aspect = rng.uniform(*CROP_SCALE), math.sqrt(_log_uniform(rng, *CROP_ASPECT))
    across, down = (
        max(1, round(min(1, scale * aspect) * width)),
        max(1, round(min(1, scale / aspect) * height)),
    )
    left, top = int(rng.integers(0, width - across + 1)), int(rng.integers(0, height - down + 1))
    return left, top, left + across, top + down


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
