"""Metadata features: properties of an image file other than its content.

They should not separate AI images from real ones; `audit` measures whether they do.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from ..decode import sniff
from ..decode.heic import open_heic
from ..errors import CorruptImageError

# ITU-T T.81 (1992), Annex K.1, table K.1: the example luminance table, in natural (row by row) order.
_ANNEX_K_LUMA = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61,
        12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77,
        24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101,
        72, 92, 95, 98, 112, 100, 103, 99,
    ],
    dtype=np.int64,
)  # (64,)  # fmt: skip

_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}  # as Pillow numbers them; -1 is anything else


def _libjpeg_luma_tables() -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """-> (100, 64): row q - 1 is the luma table that libjpeg writes at quality q.

    jcparam.c, jpeg_quality_scaling: scale = 5000 / q below 50, else 200 - 2 q, in percent;
    jpeg_add_quant_table: (base * scale + 50) / 100 in integers, kept within 1 to 255 (baseline).
    """
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((_ANNEX_K_LUMA[None, :] * scale[:, None] + 50) // 100, 1, 255)


_LUMA_TABLES = _libjpeg_luma_tables()


def estimate_jpeg_quality(tables: Mapping[int, Sequence[int]] | None) -> int | None:
    """The libjpeg quality (1 to 100) whose luma table is closest to the image's; None without tables.

    `tables` is Pillow's `image.quantization` (natural order since Pillow 8.3). Exact for files written by
    libjpeg and compatible encoders; for other tables (Photoshop, cameras) the closest on that scale.
    """
    if not tables or len(tables.get(0, ())) != 64:
        return None
    luma = np.asarray(tables[0], dtype=np.int64)
    return int(np.abs(_LUMA_TABLES - luma).sum(axis=1).argmin()) + 1


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Facts from the container; width and height in pixels as stored (EXIF orientation not applied)."""

    format: str  # "JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "HEIC"
    bytes: int
    width: int
    height: int
    mode: str  # Pillow's: "RGB", "L", "P", "RGBA", "CMYK", ...
    jpeg_luma_mean: float | None  # of the luma quantisation table, 1 (finest) to 255
    jpeg_quality: int | None  # 1 to 100, see estimate_jpeg_quality
    jpeg_subsampling: str | None  # "4:4:4", "4:2:2" or "4:2:0"
    progressive: bool  # or interlaced
    has_exif: bool
    has_xmp: bool
    has_icc: bool
    has_text: bool  # a JPEG comment, or a PNG text chunk before the pixels

    @property
    def aspect(self) -> float:
        return self.width / self.height

    @property
    def bytes_per_pixel(self) -> float:
        return self.bytes / (self.width * self.height)


def read_facts(data: bytes, *, name: str = "input") -> FileFacts:
    """The facts of one image, from its headers; pixels are not decoded.

    Raises CorruptImageError or UnsupportedFormatError, which name `name`.
    """
    kind = sniff(data)
    if kind is None:
        raise CorruptImageError(f"{name}: not an image in a supported format")
    try:
        with _open(kind, data, name) as image:
            return _facts(image, kind, len(data))
    except (OSError, ValueError, KeyError, SyntaxError, Image.DecompressionBombError) as error:
        raise CorruptImageError(f"{name}: damaged headers ({error})") from error


def _open(kind: str, data: bytes, name: str) -> Image.Image:
    if kind == "HEIC":
        return open_heic(data, name)
    return Image.open(io.BytesIO(data), formats=["JPEG", "MPO"] if kind == "JPEG" else [kind])


def _facts(image: Image.Image, kind: str, size: int) -> FileFacts:
    tables: dict[int, list[int]] | None = getattr(image, "quantization", None)
    return FileFacts(
        format=kind,
        bytes=size,
        width=image.width,
        height=image.height,
        mode=image.mode,
        jpeg_luma_mean=float(np.mean(tables[0])) if tables and 0 in tables else None,
        jpeg_quality=estimate_jpeg_quality(tables),
        jpeg_subsampling=_SUBSAMPLINGS.get(get_sampling(image)) if kind == "JPEG" else None,
        progressive=bool(image.info.get("progressive") or image.info.get("interlace")),
        has_exif="exif" in image.info,
        has_xmp="xmp" in image.info or "XML:com.adobe.xmp" in image.info,
        has_icc="icc_profile" in image.info,
        has_text="comment" in image.info or (kind == "PNG" and _has_text(image)),
    )


def _has_text(image: Image.Image) -> bool:
    return any(isinstance(value, str) for key, value in image.info.items() if key != "XML:com.adobe.xmp")
