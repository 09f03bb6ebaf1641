"""One input: its name and its bytes."""

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

# RFC 2397: data:[<mediatype>][;parameter]*;base64,<data>. Bounded, so that a hostile prefix costs nothing.
_DATA_URL = re.compile(r"data:[^,]{0,200}?;base64,", re.IGNORECASE)


# What a Python caller has. A path is opened when its turn comes; a stream is read, and an address fetched, when it is
# given. An array is (H, W, 3) uint8, in RGB order.
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
else:  # NumPy and Pillow are not to be loaded for a name
    Picture = Any


def to_source(picture: Picture, *, max_bytes: int) -> Source:
    """Raises UsageError for what is no picture at all, an InputError for a stream or an address that cannot be read."""
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
    """Is this a picture, though it may be gone through like many?"""
    if is_array(value):
        return value.ndim < 4  # else an array of pictures
    plain = isinstance(value, Source | str | os.PathLike | bytes | bytearray | memoryview)
    return plain or is_pil_image(value) or _is_stream(value)


def name_of(picture: object) -> str:
    """What the record calls it."""
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
    """Read at most one byte more than `max_bytes`: enough for `read` to tell that there is too much.

    Raises UsageError for a stream of text, InputNotFoundError for one that cannot be read.
    """
    if hasattr(stream, "encoding"):  # before its decoder stumbles over a picture
        raise UsageError(f"{name}: the stream gives text; open it in binary mode")
    data = bytearray()
    try:
        while len(data) <= max_bytes and (piece := stream.read(max_bytes + 1 - len(data))):
            if not isinstance(piece, bytes):
                raise UsageError(f"{name}: the stream gives text; open it in binary mode")
            data += piece  # a pipe without a buffer gives what it has, not what was asked for
    except io.UnsupportedOperation as error:
        raise InputNotFoundError(f"{name}: cannot be read (it is not open for reading)") from error
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise InputNotFoundError(f"{name}: cannot be read ({error})") from error
    return Source(name, bytes(data))


def from_base64(text: str, name: str = "base64", *, max_bytes: int) -> Source:
    """Base64, white space and a `data:` prefix allowed -> Source. Raises CorruptImageError, TooLargeError."""
    prefix = _DATA_URL.match(text)
    encoded = text[prefix.end() :] if prefix else text
    if len(encoded) // 4 * 3 > 2 * max_bytes:  # generous: white space counts here
        raise TooLargeError(f"{name}: more than the limit of {max_bytes:,} bytes")
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CorruptImageError(f"{name}: not base64 ({error})") from error
    return Source(name, data)


def read(source: Source, *, max_bytes: int) -> bytes:
    """The bytes of `source`, `max_bytes` at most. Raises InputNotFoundError or TooLargeError."""
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
    """A path as text that every encoder accepts: bytes that are not UTF-8 appear as \\xNN."""
    text = os.fspath(path)
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character that stands for no byte: no file is called so
        raw = text.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")
