"""Decodes JPEG with simplejpeg (the extra [fast]): faster than Pillow, with identical pixels
(tests/decode/test_jpeg.py). The only module that imports it. Pillow is the reference."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

# EXIF 2.32, tag 0x0112: orientation -> transformation from stored to displayed pixels.
_TRANSFORMATIONS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored[::-1].transpose(1, 0, 2),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: stored[:, ::-1].transpose(1, 0, 2),
}


def decode_jpeg(image: Image.Image, data: bytes) -> NDArray[np.uint8] | None:
    """The pixels of `data` (H, W, 3) uint8, EXIF orientation applied; `image`: Pillow's image with only the header
    read.

    None if Pillow must decode it: without the extra, for greyscale and CMYK, and for every file that the decoder warns
    about, so that damaged files are always handled by Pillow.
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
        transform = _TRANSFORMATIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 (Pillow decodes it or reports the error)
        return None
    return pixels if transform is None else np.ascontiguousarray(transform(pixels))


def chroma_step(image: Image.Image) -> float | None:
    """The mean quantisation step of the chroma channels if they have half the resolution in both directions (4:2:0, as
    nearly every JPEG on the web); else None. `image`: Pillow's image of a JPEG with the header read."""
    layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])  # id, horizontal, vertical, table
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
