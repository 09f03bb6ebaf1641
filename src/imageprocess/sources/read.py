"""One input: its name and its bytes."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import BinaryIO

from ..errors import CorruptImageError, InputNotFoundError, TooLargeError, UsageError
from ..types import Source

# RFC 2397: data:[<mediatype>][;parameter]*;base64,<data>. Bounded, so that a hostile prefix costs nothing.
_DATA_URL = re.compile(r"data:[^,]{0,200}?;base64,", re.IGNORECASE)


def to_source(given: str | os.PathLike[str] | bytes | BinaryIO | Source, *, max_bytes: int) -> Source:
    """What a Python caller has -> Source. A path is opened when its turn comes; a stream is read now."""
    if isinstance(given, Source):
        return given
    if isinstance(given, bytes | bytearray | memoryview):
        return Source("bytes", bytes(given))
    if isinstance(given, str | os.PathLike):
        return Source(display_name(given), path=Path(given))
    if callable(getattr(given, "read", None)):
        name = getattr(given, "name", None)
        return from_stream(given, name if isinstance(name, str) else "stream", max_bytes=max_bytes)
    raise UsageError(
        f"cannot read an image from {type(given).__name__}: give a path, bytes or a binary stream"
    )


def from_stream(stream: BinaryIO, name: str, *, max_bytes: int) -> Source:
    """Read at most one byte more than `max_bytes`: enough for `read` to tell that there is too much."""
    data = stream.read(max_bytes + 1)
    if not isinstance(data, bytes):
        raise UsageError(f"{name}: the stream gives text; open it in binary mode")
    return Source(name, data)


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
    from .remote import open_uri

    assert source.uri is not None
    with open_uri(source.uri) as stream:
        data: bytes = stream.read(max_bytes + 1)
    return data


def display_name(path: str | os.PathLike[str]) -> str:
    """A path as text that every encoder accepts: bytes that are not UTF-8 appear as \\xNN."""
    return os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
