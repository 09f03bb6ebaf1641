"""Reads HEIC with pi-heif (LGPL; the extra [heic]). The only module that imports it."""

from __future__ import annotations

import io

from PIL import Image

from ..errors import MissingExtraError, UnsupportedFormatError
from ..extras import require_extra


def open_heic(data: bytes, name: str) -> Image.Image:
    """Read the header; pixels are decoded on demand. Raises UnsupportedFormatError, OSError."""
    try:
        with require_extra("heic", "pi-heif, which reads HEIC,"):
            from pi_heif import HeifImageFile
    except MissingExtraError as error:
        raise UnsupportedFormatError(f"{name}: {error}") from error
    if _is_truncated(data):  # libheif would fill missing tiles with black
        raise OSError("image file is truncated")
    image: Image.Image = HeifImageFile(io.BytesIO(data))
    return image


def _is_truncated(data: bytes) -> bool:
    """Whether the media data box (ISO/IEC 14496-12, 4.2 and 8.1.1) extends beyond the end of the file."""
    at = 0
    while at + 16 <= len(data):
        size, header_bytes = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, header_bytes = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if data[at + 4 : at + 8] == b"mdat" and size and at + size > len(data):
            return True
        if size < header_bytes:  # 0: to the end of the file
            return False
        at += size
    return False
