"""Reads the metadata records of each container format.

Every reader follows the structure of the container from its first byte and stops at its end, so that a marker which
merely occurs somewhere in the bytes is never matched. After the end of an image, only Samsung's trailer is read, by its
directory. All readers have limits on bytes, boxes and depth.
"""

from __future__ import annotations

from .gif import walk_gif
from .isobmff import walk_isobmff
from .jpeg import walk_jpeg
from .png import walk_png
from .records import Records, Text
from .riff import walk_webp

__all__ = ["Records", "Text", "read_records"]

_WALKERS = {
    "JPEG": walk_jpeg,
    "PNG": walk_png,
    "WEBP": walk_webp,
    "AVIF": walk_isobmff,
    "HEIC": walk_isobmff,
    "GIF": walk_gif,
}


def read_records(data: bytes, image_format: str) -> Records:
    """The metadata records. Never raises; from a damaged container, returns what was read before the damage.

    BMP has no metadata records. A TIFF file is a TIFF structure like an EXIF block.
    """
    if image_format == "TIFF":
        return Records(exif=[data])
    walk = _WALKERS.get(image_format)
    return walk(data) if walk else Records()
