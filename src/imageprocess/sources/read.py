"""Reads one input: its name and its bytes."""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

from ..errors import CorruptImageError, InputNotFoundError, TooLargeError, UsageError
from ..types import Source
from .pixels import encode_array, encode_pil_image, is_array, is_pil_image
from .web import fetch, is_web_address

# RFC 2397: data:[<mediatype>][;parameter]*;base64,<data>. Bounded, so that a hostile prefix takes no time.
_DATA_URL = re.compile(r"data:[^,]{0,200}?;base64,", re.IGNORECASE)


# The inputs that Python callers may pass. A path is opened when it is analysed; a stream or URL is read at once. An
# array is (H, W, 3) uint8 in RGB order.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Picture = (
        str
        | os.PathLike[str]
        | bytes
        | bytearray
        | memoryview
        | BinaryIO
        | Source
        | Image
        | NDArray[np.uint8]
    )
else:  # NumPy and Pillow must not be imported for a type
    Picture = Any


def to_source(picture: Picture, *, max_bytes: int) -> Source:
    """The Source of `picture`. Raises UsageError for an object that is not an image, InputError for a stream or URL
    that cannot be read."""
    if isinstance(picture, Source):
        return picture
    if isinstance(picture, bytes | bytearray | memoryview):
        return Source(name_of(picture), bytes(picture))
    if isinstance(picture, str) and is_web_address(picture):
        return fetch(picture, max_bytes=max_bytes)
    if isinstance(picture, str | os.PathLike):
        return Source(name_of(picture), path=Path(picture))
    if is_pil_image(picture):
        return Source(name_of(picture), encode_pil_image(picture))
    if is_array(picture):
        return Source(name_of(picture), encode_array(picture))
    if _is_stream(picture):
        return from_stream(picture, name_of(picture), max_bytes=max_bytes)
    raise UsageError(
        f"cannot read an image from {type(picture).__name__}: give a path, an address, bytes, a binary stream, a PIL"
        " image or an array (height x width x 3, uint8)"
    )


def is_one(value: object) -> bool:
    """Whether `value` is a single image, although it may be iterable."""
    if is_array(value):
        return value.ndim < 4  # else an array of images
    is_file = isinstance(value, Source | str | os.PathLike | bytes | bytearray | memoryview)
    return is_file or is_pil_image(value) or _is_stream(value)


def name_of(picture: object) -> str:
    """The name of `picture` in its record."""
    if isinstance(picture, Source):
        return picture.name
    if isinstance(picture, bytes | bytearray | memoryview):
        return "bytes"
    if isinstance(picture, str | os.PathLike):
        return display_name(picture)
    if is_pil_image(picture):
        return display_name(getattr(picture, "filename", "") or "image")
    if is_array(picture):
        return "array"
    name = getattr(picture, "name", None) if _is_stream(picture) else type(picture).__name__
    return display_name(name) if isinstance(name, str) else "stream"


def _is_stream(value: object) -> TypeGuard[BinaryIO]:
    return callable(getattr(value, "read", None))


def from_stream(stream: BinaryIO, name: str, *, max_bytes: int) -> Source:
    """Read at most one byte more than `max_bytes`, so that `read` can detect an input that is too large.

    Raises UsageError for a stream of text, InputNotFoundError for one that cannot be read.
    """
    if hasattr(stream, "encoding"):  # checked first, because its decoder would fail on an image
        raise UsageError(f"{name}: the stream gives text; open it in binary mode")
    data = bytearray()
    try:
        while len(data) <= max_bytes and (piece := stream.read(max_bytes + 1 - len(data))):
            if not isinstance(piece, bytes):
                raise UsageError(f"{name}: the stream gives text; open it in binary mode")
            data += piece  # an unbuffered pipe may return less than requested
    except io.UnsupportedOperation as error:
        raise InputNotFoundError(f"{name}: cannot be read (it is not open for reading)") from error
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise InputNotFoundError(f"{name}: cannot be read ({error})") from error
    return Source(name, bytes(data))


def from_base64(text: str, name: str = "base64", *, max_bytes: int) -> Source:
    """The Source for base64 text, in which white space and a `data:` prefix are allowed. Raises CorruptImageError,
    TooLargeError."""
    prefix = _DATA_URL.match(text)
    encoded = text[prefix.end() :] if prefix else text
    if len(encoded) // 4 * 3 > 2 * max_bytes:  # twice the limit, because white space is included
        raise TooLargeError(f"{name}: more than the limit of {max_bytes:,} bytes")
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CorruptImageError(f"{name}: not base64 ({error})") from error
    return Source(name, data)


def read(source: Source, *, max_bytes: int) -> bytes:
    """The bytes of `source`. Raises InputNotFoundError, or TooLargeError above `max_bytes`."""
    data = source.data
    if data is None:
        data = _read_uri(source, max_bytes) if source.uri else _read_path(source, max_bytes)
    if len(data) > max_bytes:
        raise TooLargeError(f"{source.name}: more than the limit of {max_bytes:,} bytes")
    return data


def _read_path(source: Source, max_bytes: int) -> bytes:
    if source.path is None:
        raise InputNotFoundError(f"{source.name}: has neither bytes nor a path")
    try:
        with source.path.open("rb") as stream:
            return stream.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise InputNotFoundError(f"{source.name}: no such file") from error
    except IsADirectoryError as error:
        raise InputNotFoundError(f"{source.name}: a folder, not a file") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise InputNotFoundError(f"{source.name}: cannot be read ({reason})") from error


def _read_uri(source: Source, max_bytes: int) -> bytes:
    from .remote import read_uri

    assert source.uri is not None
    return read_uri(source.uri, max_bytes + 1)


def display_name(path: str | os.PathLike[str]) -> str:
    """A path as valid Unicode text: bytes that are not UTF-8 appear as \\xNN."""
    text = os.fspath(path)
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that does not stand for a byte, which no file name has
        raw = text.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")
