"""Turns pixels into the network's input. Training, evaluation, service and batch share this preprocessing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .spec import FILTERS, InputSpec

_WHOLE_BYTES = 8 << 20  # images of up to 2 megapixels are resized at once
_STRIP_BYTES = 2 << 20  # measured: half as much is slower for its calls, twice as much for its cache misses
_FILTERS = {name: Image.Resampling[name.upper()] for name in FILTERS}


def resize(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> (spec.height, spec.width, 3) uint8, bit-identical to Pillow's resize with spec.reducing_gap
    (except as noted below).

    Pillow's filters widen when reducing, so there is no aliasing.
    """
    height, width = pixels.shape[:2]
    if (height, width) == (spec.height, spec.width):
        return pixels
    method = _FILTERS[spec.filter]
    across, down = _factor(width, spec.width, spec), _factor(height, spec.height, spec)
    box = (0, 0, width / across, height / down)  # in cells; the last ones may be incomplete
    if across * down > 1:
        cells = (math.ceil(width / across), math.ceil(height / down))
        image = _in_strips(pixels, down, cells, lambda strip: strip.reduce((across, down)))
    elif 4 * height * width > _WHOLE_BYTES:  # Pillow stores four bytes per pixel
        # Pillow resizes horizontally first, then vertically, and rounds to 8 bits between the two: strips give the
        # same. Only if the height is reduced more than twice as much as the width, it resizes vertically first; then
        # values may differ by one level.
        narrow = (spec.width, height)
        image = _in_strips(pixels, 1, narrow, lambda strip: strip.resize((spec.width, strip.height), method))
        box = (0, 0, *narrow)
    else:
        image = _to_image(pixels)
    return np.asarray(image.resize((spec.width, spec.height), method, box))


def _factor(length: int, target: int, spec: InputSpec) -> int:
    """The number of pixels that Pillow averages before it resizes, along one axis."""
    return int(length / target / spec.reducing_gap) or 1 if spec.reducing_gap else 1


def _in_strips(
    pixels: NDArray[np.uint8], step: int, size: tuple[int, int], shrink: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """Reduce (H, W, 3) uint8 to `size` in strips of rows, their height a multiple of `step`.

    A strip fits into the cache of a core; copying a whole 12-megapixel image costs more than everything after it.
    """
    rows = max(1, _STRIP_BYTES // (4 * pixels.shape[1] * step)) * step
    image = Image.new("RGB", size, None)
    for top in range(0, len(pixels), rows):
        image.paste(shrink(_to_image(pixels[top : top + rows])), (0, top // step))
    return image


def _to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """As Image.fromarray, but without filling the image with black first."""
    height, width = pixels.shape[:2]
    image = Image.new("RGB", (width, height), None)
    image.frombytes(np.ascontiguousarray(pixels).data)
    return image


def normalise(
    pixels: NDArray[np.uint8], spec: InputSpec, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, H, W) float32, (x / 255 - mean) / std; written into `out` if that is not None."""
    planes = np.empty((3, *pixels.shape[:2]), dtype=np.float32) if out is None else out
    for channel, (mean, std) in enumerate(zip(spec.mean, spec.std, strict=True)):
        scale = 1 / (255 * np.float32(std))
        np.multiply(pixels[..., channel], scale, out=planes[channel], dtype=np.float32)
        planes[channel] -= np.float32(mean) / np.float32(std)
    return planes


def preprocess(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, spec.height, spec.width) float32."""
    return normalise(resize(pixels, spec), spec)
