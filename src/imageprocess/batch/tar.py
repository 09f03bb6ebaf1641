"""Reads the images of a tar, plain or compressed, from a path or URI, in one pass."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError

from ..decode import sniff
from ..detector import failed
from ..errors import CorruptImageError, InputError, TooLargeError
from ..sources import display_name, promises_a_picture
from ..sources.remote import open_named
from ..types import Result, Source

# Raised by tarfile and the decompressors on damaged data.
_DAMAGE = (tarfile.TarError, OSError, EOFError, zlib.error, LZMAError, ValueError)


def read_tar(name: str, *, max_bytes: int) -> Iterator[Source | Result]:
    """Each member that is an image by its name or signature, named NAME#MEMBER. A damaged tar ends in a failed row."""
    shown = display_name(name)
    try:
        with open_named(name) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                found = _picture(archive, member, f"{shown}#{display_name(member.name)}", max_bytes)
                if found is not None:
                    yield found
                archive.members = []  # type: ignore[attr-defined]  # tarfile would keep every header
    except InputError as error:
        yield failed(shown, error)
    except _DAMAGE as error:
        yield failed(
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
    except _DAMAGE:
        return None
    return count


def _picture(
    archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, max_bytes: int
) -> Source | Result | None:
    base = member.name.rsplit("/", 1)[-1]
    if not member.isfile() or base.startswith("."):
        return None
    promised = promises_a_picture(base)
    if member.size > max_bytes:
        too_large = TooLargeError(f"{name}: {member.size:,} bytes; the limit is {max_bytes:,}")
        return failed(name, too_large) if promised else None
    stream = archive.extractfile(member)
    data = stream.read() if stream else b""
    if len(data) < member.size:
        raise tarfile.ReadError("truncated in the middle of a member")
    return Source(name, data) if promised or sniff(data) else None
