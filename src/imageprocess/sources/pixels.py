"""A PIL image or a NumPy array -> Source. Neither package is imported here: who has such an object has imported it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, TypeGuard

from ..errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_AS_THEY_ARE = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # what PNG holds


def is_pil_image(value: object) -> TypeGuard[Image]:
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def is_array(value: object) -> TypeGuard[NDArray[Any]]:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def encode_pil_image(image: Image) -> bytes:
    """Its pixels as a person sees them, as PNG without compression: nothing is lost, and little time. Of the file it
    may have come from nothing is known any more: no records are read, and no Content Credentials.

    Raises UsageError where it cannot be read, as its file may have been closed.
    """
    from PIL import ImageOps

    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode not in _AS_THEY_ARE:
            upright = upright.convert("RGB")
        stream = io.BytesIO()
        bare = upright.copy()
        bare.info = {key: value for key, value in upright.info.items() if key == "transparency"}
        bare.save(stream, "PNG", compress_level=0)
    except Exception as error:  # Pillow's plugins raise whatever they like
        raise UsageError(f"the PIL image cannot be read ({type(error).__name__}: {error})") from error
    return stream.getvalue()


def encode_array(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8, RGB -> PNG. Raises UsageError for any other array."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != "uint8" or not pixels.size:
        shape = " x ".join(map(str, pixels.shape))
        raise UsageError(f"an array of {shape} {pixels.dtype}: give height x width x 3 uint8, in RGB order")
    from PIL import Image

    return encode_pil_image(Image.fromarray(pixels))
