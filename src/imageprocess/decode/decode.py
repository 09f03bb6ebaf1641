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
from .opening import is_raw_preview, open_image
from .sniff import sniff

# Exceptions of Pillow's decoders on damaged input, collected by fuzzing (Warning: if the caller turns them into
# errors).
_DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    AttributeError, AssertionError, NotImplementedError, ZeroDivisionError, RuntimeError,
    struct.error, zlib.error, Warning,
)  # fmt: skip
# Modes that can be reduced directly; images in other modes would have to be converted at full size first.
_REDUCIBLE_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}


def decode(data: bytes, *, name: str = "input", limits: Limits = DEFAULT_LIMITS) -> DecodedImage:
    """Decode the first frame of `data` at full resolution, or at a reduced size if it has more than `limits.max_pixels`
    and at most `limits.max_reduced_pixels`.

    EXIF orientation is applied, alpha is composited over white, and CMYK, palette, greyscale and 16-bit images are
    converted to 8-bit RGB. ICC profiles are ignored: values are taken as sRGB, as in training. Only images above the
    limit are decoded at a reduced DCT scale, because that changes the frequencies that a detector reads.

    Pillow's warnings (large images, unusual metadata) and libtiff's messages on damaged TIFF files are not filtered
    here, because warning filters are not thread-safe.

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
    except UnidentifiedImageError as error:  # its own message contains the address of an object
        if data[2:4] in (b"+\0", b"\0+"):
            raise UnsupportedFormatError(
                f"{name}: a BigTIFF of an unsupported kind; save it as TIFF or PNG"
            ) from error
        raise CorruptImageError(f"{name}: begins like {kind}, but its header is invalid") from error
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
    message = str(error).lower()
    is_truncated = "truncat" in message or "end of file" in message or isinstance(error, EOFError)
    return "the file is cut off" if is_truncated else "it is damaged"


def _is_unsupported(error: Exception) -> bool:
    """Whether the decoder recognises the file but does not support it: HEIF with JPEG or raw data, rare TIFF."""
    message = str(error).lower()
    return isinstance(error, NotImplementedError) or "unsupported" in message or "not supported" in message


def _reduction(image: Image.Image, name: str, limits: Limits) -> int:
    """Factor by which each side must be reduced when decoding. Raises TooManyPixelsError."""
    width, height = image.size
    if width * height <= limits.max_pixels:
        return 1
    if width * height > limits.max_reduced_pixels or image.mode not in _REDUCIBLE_MODES:
        raise TooManyPixelsError(
            f"{name}: {width} x {height} pixels; at most {limits.max_pixels:,} are decoded: raise the limit, "
            "or give a smaller copy"
        )
    return next(n for n in (2, 4, 8) if -(-width // n) * -(-height // n) <= limits.max_pixels or n == 8)


def _note(kind: str, image: Image.Image, reduction: int) -> str | None:
    width, height = image.size
    if is_raw_preview(kind, image):
        return f"This is a camera's raw file (DNG): only the preview in it, {width} x {height} pixels, was analysed."
    if reduction > 1:
        size = f"{width} x {height} pixels"
        return f"The picture is very large ({size}): it was reduced {reduction} times for the analysis."
    return None


def _count_frames(image: Image.Image, kind: str, data: bytes, max_frames: int) -> int:
    """Number of frames in the container, at most `max_frames`. MPF previews of a JPEG are not frames."""
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
    """Pixels (H, W, 3) uint8 and alpha (H, W) uint8 or None, EXIF orientation applied."""
    fast = decode_jpeg(image, data) if kind == "JPEG" and reduction == 1 else None
    if fast is not None:
        return fast, None
    if reduction > 1:
        image = _reduce(image, reduction)
    image.load()
    _orient(image)
    return _to_rgb(image, name)


def _reduce(image: Image.Image, reduction: int) -> Image.Image:
    """A huge image at a reduced size: JPEG is decoded at a fraction of its size; other formats are decoded first."""
    exif = image.info.get("exif")
    width, height = image.size
    image.draft(image.mode, (width // reduction, height // reduction))
    remaining = reduction // round(width / image.size[0])
    if remaining > 1:
        image = (
            image.convert("L") if image.mode == "1" else image.convert("RGB") if image.mode == "P" else image
        )
        image = image.reduce(remaining)
    if exif is not None:
        image.info["exif"] = exif
    return image


def _orient(image: Image.Image) -> None:
    """Apply the EXIF orientation. Damaged EXIF is ignored."""
    with contextlib.suppress(*_DECODER_ERRORS):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Pixels (H, W, 3) uint8 composited over white, and alpha (H, W) uint8, None without transparency."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _to_8_bit_grey(image, name)
    elif image.mode == "F":
        image = _float_to_grey(image, name)
    if image.mode in ("La", "RGBa"):  # premultiplied alpha, as TIFF allows
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if not image.has_transparency_data:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None
    rgba = image.convert("RGBA")
    composite = Image.new("RGB", rgba.size, (255, 255, 255))
    composite.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(composite), np.asarray(rgba.getchannel("A"))


def _to_8_bit_grey(image: Image.Image, name: str) -> Image.Image:
    """Convert 16-bit or 32-bit grey to "L", or to "LA" if one value is declared transparent.

    Pillow's own conversion clips at 255.
    """
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:  # of 32 bits: clipping would change the image
        raise UnsupportedFormatError(
            f"{name}: values from {values.min()} to {values.max()}, supported: 0 to 65535; save it with 8 or 16 bits"
        )
    is_8_bit = image.mode == "I" and values.max() <= 255  # 32-bit images have no defined white
    grey = Image.fromarray((values if is_8_bit else values >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def _float_to_grey(image: Image.Image, name: str) -> Image.Image:
    """Convert floating-point grey to "L". White is 1, as most programs write it, or 255 if a value is above 1."""
    values = np.asarray(image, dtype=np.float32)
    largest = float(values.max(initial=0, where=np.isfinite(values)))
    if largest > 255:
        raise UnsupportedFormatError(
            f"{name}: its largest value is {largest:g}, supported are 0 to 1 or 0 to 255; save it with 8 or 16 bits"
        )
    white = 1.0 if largest <= 1 else 255.0
    scaled = np.nan_to_num(values / white, nan=0.0, posinf=1.0, neginf=0.0)
    return Image.fromarray(np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8))
