"""Opens an image with the Pillow plugin of its format, reading only the header.

`Image.open` would refuse images of more than 179 megapixels before the limits of this package apply, and warn of
others."""

from __future__ import annotations

import io
import struct

from PIL import Image, UnidentifiedImageError

from .heic import open_heic

# Text chunks, which are not needed for the pixels. Pillow rejects files with a text of more than 1 MB (a workflow that
# embeds an image); metadata is read elsewhere, with its own limits.
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_ORIENTATION_KEYWORDS = (b"XML:com.adobe.xmp\0", b"Raw profile type ")  # these may contain the orientation
_LONG_TEXT_BYTES = 1_000
_MAX_CHUNKS = 65_536


def open_image(kind: str, data: bytes, name: str) -> Image.Image:
    """Raises UnidentifiedImageError for an invalid header, and whatever Pillow's plugins raise."""
    if kind == "HEIC":
        return open_heic(data, name)
    if kind == "PNG":
        data = _without_texts(data)
    if kind not in Image.OPEN:
        Image.init()
    factory = Image.OPEN[kind][0]
    try:
        image: Image.Image = factory(io.BytesIO(data), "")
    except (SyntaxError, IndexError, TypeError, KeyError, struct.error) as error:
        raise UnidentifiedImageError(str(error)) from error
    if min(image.size) < 1:
        raise UnidentifiedImageError("width or height is 0")
    return image


def _without_texts(data: bytes) -> bytes:
    """A PNG without its long and its compressed texts."""
    parts, start, at = [], 0, 8
    for _ in range(_MAX_CHUNKS):
        kind = data[at + 4 : at + 8]
        if len(kind) < 4 or kind == b"IEND":
            break
        size = int.from_bytes(data[at : at + 4], "big")
        is_long = size > _LONG_TEXT_BYTES or kind == b"zTXt"
        if kind in _TEXT_CHUNKS and is_long and not data.startswith(_ORIENTATION_KEYWORDS, at + 8):
            parts.append(data[start:at])
            start = at + 12 + size
        at += 12 + size
    return b"".join([*parts, data[start:]]) if parts else data


def is_raw_preview(kind: str, image: Image.Image) -> bool:
    """Whether a TIFF is a camera's raw file (DNG), whose first directory contains a small preview."""
    if kind != "TIFF":
        return False
    tags = getattr(image, "tag_v2", {})
    subfile_type, sub_directories, dng_version = 0x00FE, 0x014A, 0xC612
    is_preview = isinstance(tags.get(subfile_type), int) and bool(tags[subfile_type] & 1)
    return dng_version in tags or (is_preview and sub_directories in tags)
