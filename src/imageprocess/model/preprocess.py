"""Pixels -> the network's input. The one preprocessing: training, evaluation, service and batch call it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .spec import InputSpec

_WHOLE_BYTES = 8 << 20  # a picture of up to 2 megapixels is resized at once
_STRIP_BYTES = 2 << 20  # measured: with half as much the calls cost more, with twice the cache misses
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
    method = _FILTERS[spec.filter]
    height, width = pixels.shape[:2]
    if 4 * height * width > _WHOLE_BYTES:  # Pillow keeps four bytes a pixel
        image = _narrow(pixels, spec.width, method, max(1, _STRIP_BYTES // (4 * width)))
    else:
        image = _to_image(pixels)
    return np.asarray(image.resize((spec.width, spec.height), method))


def _narrow(pixels: NDArray[np.uint8], width: int, method: Image.Resampling, rows: int) -> Image.Image:
    """(H, W, 3) uint8 -> a picture of H x width, so many rows at a time.

    Pillow resizes across first, then down, and rounds to 8 bits between the two: row by row is the same, to the bit.
    Only where the height shrinks more than twice as much as the width it goes down first; there a level may differ.
    A strip fits into the core's cache; the copy of a whole 12-megapixel picture costs as much as the resize.
    """
    narrow = Image.new("RGB", (width, len(pixels)), None)
    for top in range(0, len(pixels), rows):
        strip = _to_image(pixels[top : top + rows])
        narrow.paste(strip.resize((width, strip.height), method), (0, top))
    return narrow


def _to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """As Image.fromarray, which paints the picture black first."""
    height, width = pixels.shape[:2]
    image = Image.new("RGB", (width, height), None)
    image.frombytes(np.ascontiguousarray(pixels).data)
    return image


def normalise(
    pixels: NDArray[np.uint8], spec: InputSpec, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, H, W) float32, (x / 255 - mean) / std; into `out`, where it is given."""
    planes = np.empty((3, *pixels.shape[:2]), dtype=np.float32) if out is None else out
    for channel, (mean, std) in enumerate(zip(spec.mean, spec.std, strict=True)):
        scale = 1 / (255 * np.float32(std))
        np.multiply(pixels[..., channel], scale, out=planes[channel], dtype=np.float32)
        planes[channel] -= np.float32(mean) / np.float32(std)
    return planes


def preprocess(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, spec.height, spec.width) float32."""
    return normalise(resize(pixels, spec), spec)
