"""Pictures and shards behind a URI (s3://, gs://, file://, ...), through fsspec: the only module that imports it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import ImageProcessError, InputNotFoundError
from ..extras import require_extra

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def is_uri(name: str) -> bool:
    return "://" in name


@contextmanager
def open_named(name: str) -> Iterator[BinaryIO]:
    """The bytes behind a path or a URI, as a stream that can seek. Raises InputNotFoundError, MissingExtraError."""
    if is_uri(name):
        with open_uri(name) as remote:
            yield remote
        return
    with _open_path(name) as local:
        yield local


def _open_path(name: str) -> BinaryIO:
    try:
        return Path(name).open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputNotFoundError(f"{name}: cannot be read ({getattr(error, 'strerror', error)})") from error


@contextmanager
def open_uri(uri: str) -> Iterator[BinaryIO]:
    """The bytes behind `uri`, as a stream that can seek. Raises InputNotFoundError, MissingExtraError."""
    with _told(uri):
        files, path = _files(uri)
        opened = files.open(path, "rb")
    try:
        with opened as stream:
            yield stream
    except OSError as error:
        raise InputNotFoundError(f"{uri}: cannot be read ({error})") from error


def read_uri(uri: str, size: int) -> bytes:
    """At most `size` bytes of what is behind `uri`. Raises InputNotFoundError, MissingExtraError."""
    with open_uri(uri) as stream, _told(uri):
        return stream.read(size)


def list_uri(uri: str, *, recursive: bool) -> list[str]:
    """A folder's files, a glob's matches, else the URI itself, as URIs, sorted. Hidden files are left out.

    Raises InputNotFoundError, MissingExtraError.
    """
    with _told(uri):
        files, path = _files(uri)
        if any(character in path for character in "*?["):
            matches = files.glob(path)
            if not matches:
                return [uri]  # which reading it tells
        elif files.isdir(path):
            matches = files.find(path, maxdepth=None if recursive else 1)
        else:
            return [uri]
    visible = [name for name in matches if not name.rsplit("/", 1)[-1].startswith(".")]
    return sorted(files.unstrip_protocol(name) for name in visible)


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Whatever a store raises, each its own package's errors -> InputNotFoundError."""
    try:
        yield
    except ImageProcessError:
        raise
    except FileNotFoundError as error:
        raise InputNotFoundError(f"{uri}: no such object") from error
    except Exception as error:
        raise InputNotFoundError(f"{uri}: cannot be read ({str(error) or type(error).__name__})") from error


def _files(uri: str) -> tuple[AbstractFileSystem, str]:
    with require_extra("batch", "fsspec, which reads URIs,"):
        import fsspec
    try:
        opened: tuple[Any, str] = fsspec.core.url_to_fs(uri)
    except ImportError as error:  # s3fs, gcsfs, ...: one package a kind of store
        raise InputNotFoundError(f"{uri}: {error}") from error
    except ValueError as error:  # an unknown protocol
        raise InputNotFoundError(f"{uri}: cannot be read ({error})") from error
    return opened
