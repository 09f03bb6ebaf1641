"""Bytes -> pixels, through Pillow, one plugin at a time."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..errors import CorruptImageError, TooLargeError, TooManyPixelsError, UnsupportedFormatError
from ..types import DecodedImage, ImageFacts
from .heic import open_heic
from .limits import DEFAULT_LIMITS, Limits
from .sniff import sniff

# What Pillow's decoders raise on damaged input, seen by fuzzing them (OSError: UnidentifiedImageError too).
_DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    AttributeError, AssertionError, NotImplementedError, ZeroDivisionError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip
# Pillow calls a JPEG with an MPF index (many phones write one) "MPO"; it is a JPEG with another behind it.
_PLUGINS = {"JPEG": ["JPEG", "MPO"]}


def decode(data: bytes, *, name: str = "input", limits: Limits = DEFAULT_LIMITS) -> DecodedImage:
    """Decode the first frame of `data` at full resolution.

    EXIF orientation is applied, alpha is laid over white, CMYK, palette, greyscale and 16-bit are brought to
    8-bit RGB. An ICC profile is ignored: the numbers are taken as sRGB, as the training pictures' are. Never
    decodes at a reduced DCT scale: that would change the frequencies a detector reads.

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
        with warnings.catch_warnings():
            # Pillow warns of large pictures and odd metadata; our own limits and errors speak instead.
            warnings.simplefilter("ignore")
            with _open(kind, data) as image:
                _check_pixels(image, name, limits)
                frames = _count_frames(image, limits.max_frames)
                image.load()
                oriented = ImageOps.exif_transpose(image)
                pixels, alpha = _to_rgb(oriented)
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(f"{name}: {error}") from error
    except MemoryError as error:
        raise TooManyPixelsError(f"{name}: not enough memory to decode it") from error
    except _DECODER_ERRORS as error:
        raise CorruptImageError(f"{name}: the {kind} data does not decode ({error})") from error
    height, width = pixels.shape[:2]
    return DecodedImage(ImageFacts(kind, width, height, frames, len(data)), pixels, alpha)


def _open(kind: str, data: bytes) -> Image.Image:
    stream = io.BytesIO(data)
    if kind == "HEIC":
        return open_heic(stream)
    return Image.open(stream, formats=_PLUGINS.get(kind, [kind]))


def _check_pixels(image: Image.Image, name: str, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise TooManyPixelsError(f"{name}: {width} x {height} pixels; the limit is {limits.max_pixels:,}")


def _count_frames(image: Image.Image, max_frames: int) -> int:
    """Frames in the container, counted to `max_frames` at most. A JPEG's MPF previews are not frames."""
    if image.format in ("JPEG", "MPO", "BMP"):
        return 1
    if image.format not in ("GIF", "TIFF"):
        return min(int(getattr(image, "n_frames", 1)), max_frames)
    count = 1  # Pillow's n_frames would walk the whole file, however many frames it holds
    try:
        while count < max_frames:
            image.seek(count)
            count += 1
    except EOFError:
        pass
    image.seek(0)
    return count


def _to_rgb(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """-> (H, W, 3) uint8 and, where the picture has transparency, its alpha (H, W) uint8."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        # Pillow's own conversion clips at 255; a 16-bit scan must keep its tones.
        wide = np.asarray(image).astype(np.int64)
        image = Image.fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
    elif image.mode == "F":
        tones = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=255.0, neginf=0.0)
        image = Image.fromarray(np.clip(tones, 0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), None
    rgba = image.convert("RGBA")
    flat = Image.new("RGB", rgba.size, (255, 255, 255))
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(flat), np.asarray(rgba.getchannel("A"))
