"""Synthetic images for tests."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """Red increases to the right, green downwards, blue is constant: all corners differ."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 90)], axis=2).astype(np.uint8))


def blank(brightness: int, width: int = 64, height: int = 48) -> Image.Image:
    return Image.new("RGB", (width, height), (brightness,) * 3)


def plain(brightness: int, width: int = 64, height: int = 48) -> Image.Image:
    """Grey grain of one brightness: looks uniform, but does not count as blank."""
    grain = np.random.default_rng(brightness).integers(-20, 21, (height, width, 1))
    return Image.fromarray(np.clip(brightness + grain.repeat(3, axis=2), 0, 255).astype(np.uint8))


def scene(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """Soft random blobs: perceptual hashes differ between seeds and agree between sizes."""
    blobs = np.random.default_rng(seed).integers(0, 256, size=(9, 9, 3), dtype=np.uint8)
    return Image.fromarray(blobs).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def corners(pixels: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """Top left, top right, bottom left, bottom right."""
    return [tuple(int(v) for v in pixels[y, x]) for y in (0, -1) for x in (0, -1)]
