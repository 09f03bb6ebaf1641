"""Bytes -> pixels, through Pillow, one plugin at a time; most JPEG through a faster decoder of the same pixels."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import CorruptImageError, TooLargeError, TooManyPixelsError, UnsupportedFormatError
from ..types import DecodedImage, ImageFacts
from .frames import count_gif_frames, count_tiff_frames
from .heic import open_heic
from .jpeg import chroma_step, decode_jpeg
from .limits import DEFAULT_LIMITS, Limits
from .sniff import sniff

# What Pillow's decoders raise on damaged input, seen by fuzzing them (Warning: where the caller makes them errors).
_DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    AttributeError, AssertionError, NotImplementedError, ZeroDivisionError, RuntimeError,
    struct.error, zlib.error, Warning,
)  # fmt: skip
# Pillow calls a JPEG with an MPF index (many phones write one) "MPO"; it is a JPEG with another behind it.
_PLUGINS = {"JPEG": ["JPEG", "MPO"]}


def decode(data: bytes, *, name: str = "input", limits: Limits = DEFAULT_LIMITS) -> DecodedImage:
    """Decode the first frame of `data` at full resolution.

    EXIF orientation is applied, alpha is laid over white, CMYK, palette, greyscale and 16-bit are brought to
    8-bit RGB. An ICC profile is ignored: the numbers are taken as sRGB, as the training pictures' are. Never
    decodes at a reduced DCT scale: that would change the frequencies a detector reads.

    Pillow's warnings (a large picture, odd metadata) and libtiff's words about damaged TIFF go where the process
    sends them: a filter set here would not be safe between threads.

    Raises TooLargeError, UnsupportedFormatError, TooManyPixelsError or CorruptImageError, each naming `name`.
    """
    if len(data) > limits.max_bytes:
        raise TooLargeError(f"{name}: {len(data):,} bytes; the limit is {limits.max_bytes:,}")
    if not data:
        raise CorruptImageError(f"{name}: the file is empty")
    kind = sniff(data)
    if kind is None:
        raise UnsupportedFormatError(
            f"{name}: not an image that we read (JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF; HEIC with the extra)"
        )
    try:
        with _open(kind, data, name) as image:
            width, height = image.size
            if width * height > limits.max_pixels:
                raise TooManyPixelsError(
                    f"{name}: {width} x {height} pixels; at most {limits.max_pixels:,} allowed"
                )
            frames = _count_frames(image, kind, data, limits.max_frames)
            step = chroma_step(image) if kind == "JPEG" else None
            pixels, alpha = _pixels(image, kind, data)
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(f"{name}: {error}") from error
    except MemoryError as error:
        raise TooManyPixelsError(f"{name}: not enough memory to decode it") from error
    except UnidentifiedImageError as error:  # its own message shows an object's address
        raise CorruptImageError(f"{name}: begins like {kind}, but its header makes no sense") from error
    except _DECODER_ERRORS as error:
        raise CorruptImageError(f"{name}: the {kind} data does not decode ({error})") from error
    height, width = pixels.shape[:2]
    return DecodedImage(ImageFacts(kind, width, height, frames, len(data)), pixels, alpha, step)


def _open(kind: str, data: bytes, name: str) -> Image.Image:
    if kind == "HEIC":
        return open_heic(data, name)
    return Image.open(io.BytesIO(data), formats=_PLUGINS.get(kind, [kind]))


def _count_frames(image: Image.Image, kind: str, data: bytes, max_frames: int) -> int:
    """Frames in the container, counted to `max_frames` at most. A JPEG's MPF previews are not frames."""
    if kind == "GIF":
        return count_gif_frames(data, max_frames)
    if kind == "TIFF":
        return count_tiff_frames(data, max_frames)
    if kind in ("JPEG", "BMP"):
        return 1
    return min(int(getattr(image, "n_frames", 1)), max_frames)


def _pixels(image: Image.Image, kind: str, data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """-> (H, W, 3) uint8 and alpha, oriented."""
    fast = decode_jpeg(image, data) if kind == "JPEG" else None
    if fast is not None:
        return fast, None
    image.load()
    _orient(image)
    return _to_rgb(image)


def _orient(image: Image.Image) -> None:
    """Turn it as its EXIF says. Damaged EXIF does not make the picture damaged."""
    with contextlib.suppress(*_DECODER_ERRORS):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """-> (H, W, 3) uint8 laid over white and, where the picture has transparency, its alpha (H, W) uint8."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _to_8_bit_grey(image)
    elif image.mode == "F":
        tones = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=255.0, neginf=0.0)
        image = Image.fromarray(np.clip(tones, 0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None
    rgba = image.convert("RGBA")
    flat = Image.new("RGB", rgba.size, (255, 255, 255))
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(flat), np.asarray(rgba.getchannel("A"))


def _to_8_bit_grey(image: Image.Image) -> Image.Image:
    """16-bit grey -> "L", or "LA" where one tone is declared transparent. Pillow's own conversion clips at 255."""
    tones = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
    grey = Image.fromarray((tones >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(tones == transparent, 0, 255).astype(np.uint8)))
    return grey
