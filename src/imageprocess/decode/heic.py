"""HEIC through pi-heif (LGPL), when the extra is installed. The only module that imports it."""

from __future__ import annotations

import io

from PIL import Image

from ..errors import MissingExtraError, UnsupportedFormatError


def open_heic(stream: io.BytesIO) -> Image.Image:
    try:
        import pi_heif
    except ImportError as error:
        raise UnsupportedFormatError(str(MissingExtraError("pi-heif, which reads HEIC,", "heic"))) from error
    heif = pi_heif.open_heif(stream, convert_hdr_to_8bit=True)
    image: Image.Image = heif.to_pillow()
    return image
