"""Reads images and shards at a URI (s3://, gs://, file://, ...) with fsspec, which only this module imports."""

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
    """A seekable stream of the bytes at a path or URI. Raises InputNotFoundError, MissingExtraError."""
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
    """A seekable stream of the bytes at `uri`. Raises InputNotFoundError, MissingExtraError."""
    with _errors_translated(uri):
        file_system, path = _file_system(uri)
        remote = file_system.open(path, "rb")
    try:
        with remote as stream:
            yield stream
    except OSError as error:
        raise InputNotFoundError(f"{uri}: cannot be read ({error})") from error


def read_uri(uri: str, size: int) -> bytes:
    """At most `size` bytes from `uri`. Raises InputNotFoundError, MissingExtraError."""
    with open_uri(uri) as stream, _errors_translated(uri):
        return stream.read(size)


def list_uri(uri: str, *, recursive: bool) -> list[str]:
    """The files of a folder, the matches of a glob, or the URI itself, as sorted URIs without hidden files.

    Raises InputNotFoundError, MissingExtraError.
    """
    with _errors_translated(uri):
        file_system, path = _file_system(uri)
        if any(character in path for character in "*?["):
            matches = file_system.glob(path)
            if not matches:
                return [uri]  # reading it reports the error
        elif file_system.isdir(path):
            matches = file_system.find(path, maxdepth=None if recursive else 1)
        else:
            return [uri]
    visible = [name for name in matches if not name.rsplit("/", 1)[-1].startswith(".")]
    return sorted(file_system.unstrip_protocol(name) for name in visible)


@contextmanager
def _errors_translated(uri: str) -> Iterator[None]:
    """Turns every exception of a store, whose package defines its own, into InputNotFoundError."""
    try:
        yield
    except ImageProcessError:
        raise
    except FileNotFoundError as error:
        raise InputNotFoundError(f"{uri}: no such object") from error
    except Exception as error:
        raise InputNotFoundError(f"{uri}: cannot be read ({str(error) or type(error).__name__})") from error


def _file_system(uri: str) -> tuple[AbstractFileSystem, str]:
    with require_extra("batch", "fsspec, which reads URIs,"):
        import fsspec
    try:
        file_system_and_path: tuple[Any, str] = fsspec.core.url_to_fs(uri)
    except ImportError as error:  # s3fs, gcsfs, ...: one package per kind of store
        raise InputNotFoundError(f"{uri}: {error}") from error
    except ValueError as error:  # an unknown protocol
        raise InputNotFoundError(f"{uri}: cannot be read ({error})") from error
    return file_system_and_path
