"""The views of an image that an encoder model reads: the whole image, resized to a square, and crops at native
resolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .preprocess import resize
from .spec import InputSpec, ModelSpec

_POSITIONS = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))  # (x, y): centre, then corners
_INSET = 0.5  # a corner position lies half-way between the corner and the centre


def prepare(pixels: NDArray[np.uint8], spec: ModelSpec) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> the model's input: (h, w, 3), or (V, h, w, 3) for a model with several views."""
    return cut_views(pixels, spec.input, spec.views.crops) if spec.views else resize(pixels, spec.input)


def cut_views(pixels: NDArray[np.uint8], spec: InputSpec, crops: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> (1 + crops, spec.height, spec.width, 3) uint8, the whole image first.

    Crops are taken at the most textured of five positions, the most textured first; an image smaller than a crop is
    enlarged until it fits.
    """
    whole = resize(pixels, spec)
    if not crops:
        return whole[None]
    native = _enlarge(pixels, spec)
    candidates = [_crop(native, position, spec) for position in _POSITIONS]
    order = sorted(range(len(candidates)), key=lambda index: -_texture(candidates[index]))
    return np.stack([whole, *(candidates[index] for index in order[:crops])])


def _enlarge(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """The image, enlarged if it is smaller than a crop."""
    height, width = pixels.shape[:2]
    factor = max(spec.height / height, spec.width / width)
    if factor <= 1:
        return pixels
    size = (max(spec.width, round(width * factor)), max(spec.height, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def _crop(pixels: NDArray[np.uint8], position: tuple[float, float], spec: InputSpec) -> NDArray[np.uint8]:
    x, y = (_INSET * (coordinate - 0.5) + 0.5 for coordinate in position)
    left = round(x * (pixels.shape[1] - spec.width))
    top = round(y * (pixels.shape[0] - spec.height))
    return pixels[top : top + spec.height, left : left + spec.width]


def _texture(pixels: NDArray[np.uint8]) -> int:
    """Sum of absolute differences of neighbours in the green channel. Integers and no weighted luminance, so that the
    JavaScript port rounds nothing differently."""
    green = pixels[..., 1].astype(np.int16)
    return int(np.abs(np.diff(green, axis=0)).sum()) + int(np.abs(np.diff(green, axis=1)).sum())
