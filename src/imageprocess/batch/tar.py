"""Reads the images of a tar, plain or compressed, from a path or URI, in one pass."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from ..detector import error_result
from ..errors import CorruptImageError, InputError, TooLargeError
from ..sources import display_name, has_picture_suffix
from ..sources.archive import DAMAGE, tar_pictures
from ..sources.remote import open_named
from ..types import Result, Source


def read_tar(name: str, *, max_bytes: int) -> Iterator[Source | Result]:
    """Each member that is an image by its name or signature, named NAME#MEMBER. A damaged tar ends in a failed row."""
    display = display_name(name)
    try:
        with open_named(name) as stream:
            for member in tar_pictures(stream, max_bytes=max_bytes):
                member_name = f"{display}#{member.name}"
                if member.data is None:
                    message = f"{member_name}: {member.size:,} bytes; the limit is {max_bytes:,}"
                    yield error_result(member_name, TooLargeError(message))
                else:
                    yield Source(member_name, member.data)
    except InputError as error:
        yield error_result(display, error)
    except DAMAGE as error:
        yield error_result(
            display, CorruptImageError(f"{display}: the tar is damaged; later members are lost ({error})")
        )


def count_pictures(name: str) -> int | None:
    """Number of members of a plain local tar that are images by name; None if the tar would have to be read."""
    count = 0
    try:
        with tarfile.open(name, "r:") as archive:
            for member in archive:
                base = member.name.rsplit("/", 1)[-1]
                count += member.isfile() and not base.startswith(".") and has_picture_suffix(base)
                archive.members = []  # type: ignore[attr-defined]
    except DAMAGE:
        return None
    return count
