"""Reads the images of a tar, plain or compressed, from a path or URI, in one pass."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from ..detector import error_result
from ..errors import CorruptImageError, InputError, TooLargeError
from ..sources import display_name, promises_a_picture
from ..sources.archive import DAMAGE, tar_pictures
from ..sources.remote import open_named
from ..types import Result, Source


def read_tar(name: str, *, max_bytes: int) -> Iterator[Source | Result]:
    """Each member that is an image by its name or signature, named NAME#MEMBER. A damaged tar ends in a failed row."""
    shown = display_name(name)
    try:
        with open_named(name) as stream:
            for member in tar_pictures(stream, max_bytes=max_bytes):
                called = f"{shown}#{member.name}"
                if member.data is None:
                    message = f"{called}: {member.size:,} bytes; the limit is {max_bytes:,}"
                    yield error_result(called, TooLargeError(message))
                else:
                    yield Source(called, member.data)
    except InputError as error:
        yield error_result(shown, error)
    except DAMAGE as error:
        yield error_result(
            shown, CorruptImageError(f"{shown}: the tar is damaged; later members are lost ({error})")
        )


def count_pictures(name: str) -> int | None:
    """Number of members of a plain local tar that are images by name; None if the tar would have to be read."""
    count = 0
    try:
        with tarfile.open(name, "r:") as archive:
            for member in archive:
                base = member.name.rsplit("/", 1)[-1]
                count += member.isfile() and not base.startswith(".") and promises_a_picture(base)
                archive.members = []  # type: ignore[attr-defined]
    except DAMAGE:
        return None
    return count
