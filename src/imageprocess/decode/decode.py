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
            pixels, alpha = _pixels(image, kind, data, name)
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


def _pixels(
    image: Image.Image, kind: str, data: bytes, name: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """-> (H, W, 3) uint8 and alpha, oriented."""
    fast = decode_jpeg(image, data) if kind == "JPEG" else None
    if fast is not None:
        return fast, None
    image.load()
    _orient(image)
    return _to_rgb(image, name)


def _orient(image: Image.Image) -> None:
    """Turn it as its EXIF says. Damaged EXIF does not make the picture damaged."""
    with contextlib.suppress(*_DECODER_ERRORS):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """-> (H, W, 3) uint8 laid over white and, where the picture has transparency, its alpha (H, W) uint8."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _to_8_bit_grey(image, name)
    elif image.mode == "F":
        image = _float_to_grey(image, name)
    if not image.has_transparency_data:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None
    rgba = image.convert("RGBA")
    flat = Image.new("RGB", rgba.size, (255, 255, 255))
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(flat), np.asarray(rgba.getchannel("A"))


def _to_8_bit_grey(image: Image.Image, name: str) -> Image.Image:
    """Grey of 16 bits, or of 32 -> "L", or "LA" where one tone is declared transparent.

    Pillow's own conversion clips at 255.
    """
    tones = np.asarray(image).astype(np.int64)
    if tones.min() < 0 or tones.max() > 65535:  # of 32 bits: scored clipped, it would be another picture
        raise UnsupportedFormatError(
            f"{name}: its tones run from {tones.min()} to {tones.max()}; 0 to 65535 are read: save it in 8 or 16 bits"
        )
    in_bytes = image.mode == "I" and tones.max() <= 255  # 32 bits have no scale of their own
    grey = Image.fromarray((tones if in_bytes else tones >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(tones == transparent, 0, 255).astype(np.uint8)))
    return grey


def _float_to_grey(image: Image.Image, name: str) -> Image.Image:
    """Floating-point grey -> "L". White is 1, as most programs write it, or 255 where a tone is above 1."""
    tones = np.asarray(image, dtype=np.float32)
    brightest = float(tones.max(initial=0, where=np.isfinite(tones)))
    if brightest > 255:
        raise UnsupportedFormatError(
            f"{name}: its tones reach {brightest:g}; 0 to 1 or 0 to 255 are read: save it in 8 or 16 bits"
        )
    white = 1.0 if brightest <= 1 else 255.0
    share = np.nan_to_num(tones / white, nan=0.0, posinf=1.0, neginf=0.0)
    return Image.fromarray(np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8))
