"""A tar or a zip, read once from front to end -> the pictures in it, in memory. Names of members are labels: nothing is
ever written under them.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ..decode import sniff
from .expand import has_picture_suffix
from .read import display_name

# What tarfile, zipfile and the decompressors below them raise on damage.
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError,
    zlib.error, lzma.LZMAError, struct.error,
)  # fmt: skip
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # a member, and the end of an empty one: APPNOTE 4.3.7, 4.3.16
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_TAR_MAGIC = slice(257, 262)  # POSIX.1-2001, ustar header
_ZIP_END = struct.Struct("<4s4H2LH")  # APPNOTE 4.3.16
_ZIP64_LOCATOR_BYTES = 20  # APPNOTE 4.3.15
_MAX_DIRECTORY_BYTES = 20_000_000  # of a zip; zipfile holds all of it at once, ten times as large
HEAD_BYTES = 262  # what `is_archive` looks at


@dataclass(frozen=True, slots=True)
class Member:
    """A picture by its name or its first bytes. `data`: None where it is larger than was asked for."""

    name: str
    size: int
    data: bytes | None


def is_archive(head: bytes) -> bool:
    """Do these first bytes begin a zip or a tar, plain or compressed? One that predates 1988 says no."""
    return head.startswith((*_ZIP_STARTS, *_OPENERS)) or head[_TAR_MAGIC] == b"ustar"


def read_archive(stream: BinaryIO, *, max_bytes: int) -> Iterator[Member]:
    """The pictures in a seekable file, by the archive's kind. Raises one of DAMAGE."""
    head = stream.read(4)
    stream.seek(0)
    if head in _ZIP_STARTS:
        yield from _zip_pictures(stream, max_bytes)
    else:
        yield from tar_pictures(stream, max_bytes=max_bytes)


def tar_pictures(stream: BinaryIO, *, max_bytes: int) -> Iterator[Member]:
    """The pictures in a tar, plain or compressed. Raises one of DAMAGE."""
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            if member.isfile() and not _is_hidden(member.name):
                picture = _tar_picture(archive, member, max_bytes)
                if picture is not None:
                    yield picture
            archive.members = []  # type: ignore[attr-defined]  # it would keep every member's header


def _tar_picture(archive: tarfile.TarFile, member: tarfile.TarInfo, max_bytes: int) -> Member | None:
    promised = has_picture_suffix(member.name)
    name = display_name(member.name)
    if member.size > max_bytes:
        return Member(name, member.size, None) if promised else None
    stream = archive.extractfile(member)
    data = stream.read() if stream else b""
    if len(data) < member.size:
        raise tarfile.ReadError("it ends in the middle of a member")
    return Member(name, member.size, data) if promised or sniff(data) else None


def _zip_pictures(stream: BinaryIO, max_bytes: int) -> Iterator[Member]:
    _check_directory(stream)
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if info.is_dir() or _is_hidden(info.filename) or stat.S_ISLNK(info.external_attr >> 16):
                continue
            if info.flag_bits & 1:
                raise zipfile.BadZipFile("it is encrypted; pack it without a password")
            promised = has_picture_suffix(info.filename)
            name = display_name(info.filename)
            if info.file_size > max_bytes:
                if promised:
                    yield Member(name, info.file_size, None)
                continue
            with archive.open(info) as member:
                data = member.read()  # ends at the size that the entry states
            if promised or sniff(data):
                yield Member(name, info.file_size, data)


def _check_directory(stream: BinaryIO) -> None:
    """Raises BadZipFile where the list of members is larger than any honest one, before all of it is read."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - _ZIP_END.size - 0xFFFF - _ZIP64_LOCATOR_BYTES))
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _ZIP_END.size:
        raise zipfile.BadZipFile("it ends too early")
    if tail[max(0, at - _ZIP64_LOCATOR_BYTES) :].startswith(b"PK\x06\x07"):
        raise zipfile.BadZipFile("it is a zip64, for more than 65,535 files; pack it as a tar, or in parts")
    if _ZIP_END.unpack_from(tail, at)[5] > _MAX_DIRECTORY_BYTES:
        raise zipfile.BadZipFile("its list of files is too long; pack it as a tar, or in parts")


def _is_hidden(name: str) -> bool:
    """Hidden files, and what macOS puts beside each file."""
    parts = name.split("/")
    return parts[-1].startswith(".") or "__MACOSX" in parts
