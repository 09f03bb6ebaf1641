"""JPEG decoding with simplejpeg (the extra [fast]): faster than Pillow with identical pixels
(tests/decode/test_jpeg.py). The only module that imports it. Pillow stays the reference."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

# EXIF 2.32, tag 0x0112: how the stored rows and columns lie -> as a person sees them.
_TURN: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored[::-1].transpose(1, 0, 2),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: stored[:, ::-1].transpose(1, 0, 2),
}


def decode_jpeg(image: Image.Image, data: bytes) -> NDArray[np.uint8] | None:
    """The pixels of `data` (H, W, 3) uint8, oriented; `image` is Pillow's, its header read and no more.

    None if Pillow must decode it: without the extra, for greyscale and CMYK, and for any file that the decoder warns
    about, so that damaged files are always judged by Pillow.
    """
    library = _library()
    if library is None or image.mode != "RGB":
        return None
    try:
        height, width, *_ = library.decode_jpeg_header(data, strict=True)
        if (
            width,
            height,
        ) != image.size:  # the two decoders disagree about the size, so the limits were not checked
            return None
        pixels: NDArray[np.uint8] = library.decode_jpeg(data, colorspace="RGB", strict=True)
        turn = _TURN.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 (Pillow judges it)
        return None
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def chroma_step(image: Image.Image) -> float | None:
    """The mean step of the chroma's quantisation, where chroma is kept at half the resolution both ways (4:2:0, as
    nearly every JPEG on the web); None for any other. `image` is Pillow's JPEG, its header read."""
    layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])  # identifier, across, down, table
    tables: dict[int, list[int]] = getattr(image, "quantization", {})
    if len(layers) != 3 or [layer[1:3] for layer in layers] != [(2, 2), (1, 1), (1, 1)]:
        return None
    steps = [step for layer in layers[1:] for step in tables.get(layer[3], [])]
    return sum(steps) / len(steps) if steps else None


@functools.cache
def _library() -> ModuleType | None:
    try:
        import simplejpeg
    except ImportError:
        return None
    library: ModuleType = simplejpeg
    return library
