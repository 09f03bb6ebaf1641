"""Decodes bytes to pixels with Pillow, or most JPEG files with a faster decoder that gives the same pixels."""

from __future__ import annotations

import contextlib
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import CorruptImageError, TooLargeError, TooManyPixelsError, UnsupportedFormatError
from ..types import DecodedImage, ImageFacts
from .frames import count_gif_frames, count_tiff_frames
from .jpeg import chroma_step, decode_jpeg
from .limits import DEFAULT_LIMITS, Limits
from .opening import open_image, preview_of_raw
from .sniff import sniff

# What Pillow's decoders raise on damaged input, seen by fuzzing them (Warning: where the caller makes them errors).
_DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    AttributeError, AssertionError, NotImplementedError, ZeroDivisionError, RuntimeError,
    struct.error, zlib.error, Warning,
)  # fmt: skip
# Modes that shrink as they are; the others of a huge picture would have to be laid out in full first.
_SHRINKING_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}


def decode(data: bytes, *, name: str = "input", limits: Limits = DEFAULT_LIMITS) -> DecodedImage:
    """Decode the first frame of `data` at full resolution; a picture of more than `limits.max_pixels` smaller, where
    `limits.max_reduced_pixels` allows it.

    EXIF orientation is applied, alpha is laid over white, CMYK, palette, greyscale and 16-bit are brought to
    8-bit RGB. An ICC profile is ignored: the numbers are taken as sRGB, as the training pictures' are. Only a
    picture over the limit is decoded at a reduced DCT scale: that changes the frequencies a detector reads.

    Pillow's warnings (a large picture, odd metadata) and libtiff's words about damaged TIFF are not
    filtered here, since a warnings filter is not thread-safe.

    Raises TooLargeError, UnsupportedFormatError, TooManyPixelsError or CorruptImageError, each naming `name`.
    """
    if len(data) > limits.max_bytes:
        raise TooLargeError(f"{name}: {len(data):,} bytes; the limit is {limits.max_bytes:,}")
    if not data:
        raise CorruptImageError(f"{name}: the file is empty")
    kind = sniff(data)
    if kind is None:
        raise UnsupportedFormatError(
            f"{name}: not a supported image format (JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF; HEIC with the extra)"
        )
    try:
        with open_image(kind, data, name) as image:
            reduction = _reduction(image, name, limits)
            frames = _count_frames(image, kind, data, limits.max_frames)
            step = chroma_step(image) if kind == "JPEG" and reduction == 1 else None
            width, height = image.size
            note = _note(kind, image, reduction)
            pixels, alpha = _pixels(image, kind, data, name, reduction)
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(f"{name}: the image has too many pixels to decode") from error
    except MemoryError as error:
        raise TooManyPixelsError(f"{name}: not enough memory to decode it") from error
    except UnidentifiedImageError as error:  # its own message shows an object's address
        if data[2:4] in (b"+\0", b"\0+"):
            raise UnsupportedFormatError(
                f"{name}: a BigTIFF of an unsupported kind; save it as TIFF or PNG"
            ) from error
        raise CorruptImageError(f"{name}: begins like {kind}, but its header makes no sense") from error
    except _DECODER_ERRORS as error:
        if _is_unsupported(error):
            raise UnsupportedFormatError(
                f"{name}: {kind} of an unsupported kind; save it as JPEG or PNG"
            ) from error
        raise CorruptImageError(f"{name}: the {kind} data does not decode: {_damage(error)}") from error
    if reduction == 1:
        height, width = pixels.shape[:2]
    elif (pixels.shape[0] > pixels.shape[1]) != (height > width):  # rotated by its EXIF orientation
        width, height = height, width
    facts = ImageFacts(kind, width, height, frames, len(data))
    return DecodedImage(facts, pixels, alpha, step, reduction, note)


def read_header(data: bytes, *, name: str = "input", limits: Limits = DEFAULT_LIMITS) -> ImageFacts | None:
    """Facts from a file's header if its pixels cannot be decoded; None if the header is invalid too."""
    kind = sniff(data)
    if kind is None:
        return None
    try:
        with open_image(kind, data, name) as image:
            frames = _count_frames(image, kind, data, limits.max_frames)
            return ImageFacts(kind, *image.size, frames, len(data))
    except (*_DECODER_ERRORS, UnsupportedFormatError, MemoryError, Image.DecompressionBombError):
        return None


def _damage(error: Exception) -> str:
    """A readable message for a decoder's internal error, which stays the cause of the exception."""
    words = str(error).lower()
    is_cut = "truncat" in words or "end of file" in words or isinstance(error, EOFError)
    return "the file is cut off" if is_cut else "it is damaged"


def _is_unsupported(error: Exception) -> bool:
    """Whether the decoder recognises the file but does not support it: HEIF with JPEG or raw data, rare TIFF."""
    words = str(error).lower()
    return isinstance(error, NotImplementedError) or "unsupported" in words or "not supported" in words


def _reduction(image: Image.Image, name: str, limits: Limits) -> int:
    """Factor by which each side must be reduced when decoding. Raises TooManyPixelsError."""
    width, height = image.size
    if width * height <= limits.max_pixels:
        return 1
    if width * height > limits.max_reduced_pixels or image.mode not in _SHRINKING_MODES:
        raise TooManyPixelsError(
            f"{name}: {width} x {height} pixels; at most {limits.max_pixels:,} are decoded: raise the limit, "
            "or give a smaller copy"
        )
    return next(n for n in (2, 4, 8) if -(-width // n) * -(-height // n) <= limits.max_pixels or n == 8)


def _note(kind: str, image: Image.Image, reduction: int) -> str | None:
    width, height = image.size
    if preview_of_raw(kind, image):
        return f"This is a camera's raw file (DNG): only the preview in it, {width} x {height} pixels, was looked at."
    if reduction > 1:
        return f"The picture is very large ({width} x {height} pixels): it was looked at {reduction} times smaller."
    return None


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
    image: Image.Image, kind: str, data: bytes, name: str, reduction: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """-> (H, W, 3) uint8 and alpha, oriented."""
    fast = decode_jpeg(image, data) if kind == "JPEG" and reduction == 1 else None
    if fast is not None:
        return fast, None
    if reduction > 1:
        image = _reduced(image, reduction)
    image.load()
    _orient(image)
    return _to_rgb(image, name)


def _reduced(image: Image.Image, reduction: int) -> Image.Image:
    """A huge image at a reduced size: JPEG is decoded at a fraction of its size; other formats are decoded first."""
    exif = image.info.get("exif")
    width, height = image.size
    image.draft(image.mode, (width // reduction, height // reduction))
    left = reduction // round(width / image.size[0])
    if left > 1:
        image = (
            image.convert("L") if image.mode == "1" else image.convert("RGB") if image.mode == "P" else image
        )
        image = image.reduce(left)
    if exif is not None:
        image.info["exif"] = exif
    return image


def _orient(image: Image.Image) -> None:
    """Apply the EXIF orientation. Damaged EXIF is ignored."""
    with contextlib.suppress(*_DECODER_ERRORS):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """-> (H, W, 3) uint8 laid over white and, where the picture has transparency, its alpha (H, W) uint8."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _to_8_bit_grey(image, name)
    elif image.mode == "F":
        image = _float_to_grey(image, name)
    if image.mode in ("La", "RGBa"):  # colours multiplied by their alpha, as TIFF allows
        image = image.convert("LA" if image.mode == "La" else "RGBA")
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
