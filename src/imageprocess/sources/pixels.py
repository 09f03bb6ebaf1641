"""Encodes PIL images and NumPy arrays as PNG. Neither package is imported to recognise them: a caller with such an
object has imported it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, TypeGuard

from ..errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def is_pil_image(value: object) -> TypeGuard[Image]:
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def is_array(value: object) -> TypeGuard[NDArray[Any]]:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def encode_pil_image(image: Image) -> bytes:
    """The pixels, EXIF orientation applied, as PNG without compression, which is lossless and fast. The metadata and
    Content Credentials of the original file are not included.

    Raises UsageError if the image cannot be read, for example because its file was closed.
    """
    from PIL import ImageOps

    try:
        oriented = ImageOps.exif_transpose(image)
        if oriented.mode not in _PNG_MODES:
            oriented = oriented.convert("RGB")
        stream = io.BytesIO()
        without_metadata = oriented.copy()
        without_metadata.info = {key: value for key, value in oriented.info.items() if key == "transparency"}
        without_metadata.save(stream, "PNG", compress_level=0)
    except Exception as error:  # Pillow's plugins may raise any exception
        raise UsageError(f"the PIL image cannot be read ({type(error).__name__}: {error})") from error
    return stream.getvalue()


def encode_array(pixels: NDArray[np.uint8]) -> bytes:
    """The array (H, W, 3) uint8 in RGB order as PNG. Raises UsageError for any other array."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != "uint8" or not pixels.size:
        shape = " x ".join(map(str, pixels.shape))
        raise UsageError(f"an array of {shape} {pixels.dtype}: give height x width x 3 uint8, in RGB order")
    from PIL import Image

    return encode_pil_image(Image.fromarray(pixels))
