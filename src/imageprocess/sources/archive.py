"""Reads the images in a tar or zip into memory, in one pass. Names of members are only labels: nothing is written to
disk under them."""

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

# Exceptions of tarfile, zipfile and the decompressors on damaged archives.
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError,
    zlib.error, lzma.LZMAError, struct.error,
)  # fmt: skip
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # a member, and the end of an empty one: APPNOTE 4.3.7, 4.3.16
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_TAR_MAGIC = slice(257, 262)  # POSIX.1-2001, ustar header
_ZIP_END = struct.Struct("<4s4H2LH")  # APPNOTE 4.3.16
_ZIP64_LOCATOR_BYTES = 20  # APPNOTE 4.3.15
_MAX_DIRECTORY_BYTES = 20_000_000  # of a zip; zipfile needs ten times as much memory for all of it
HEAD_BYTES = 262  # that `is_archive` needs


@dataclass(frozen=True, slots=True)
class Member:
    """A member that is an image by its name or signature. `data`: None if it is larger than the limit."""

    name: str
    size: int
    data: bytes | None


def is_archive(head: bytes) -> bool:
    """Whether a file with these first bytes is a zip or a tar, plain or compressed. Tars from before POSIX.1-1988 are
    not recognised."""
    return head.startswith((*_ZIP_STARTS, *_OPENERS)) or head[_TAR_MAGIC] == b"ustar"


def read_archive(stream: BinaryIO, *, max_bytes: int) -> Iterator[Member]:
    """The images in a zip or tar, from a seekable file. Raises one of DAMAGE."""
    head = stream.read(4)
    stream.seek(0)
    if head in _ZIP_STARTS:
        yield from _zip_pictures(stream, max_bytes)
    else:
        yield from tar_pictures(stream, max_bytes=max_bytes)


def tar_pictures(stream: BinaryIO, *, max_bytes: int) -> Iterator[Member]:
    """The images in a tar, plain or compressed. Raises one of DAMAGE."""
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            if member.isfile() and not _is_hidden(member.name):
                picture = _tar_picture(archive, member, max_bytes)
                if picture is not None:
                    yield picture
            archive.members = []  # type: ignore[attr-defined]  # it would otherwise grow with every member


def _tar_picture(archive: tarfile.TarFile, member: tarfile.TarInfo, max_bytes: int) -> Member | None:
    is_image_name = has_picture_suffix(member.name)
    name = display_name(member.name)
    if member.size > max_bytes:
        return Member(name, member.size, None) if is_image_name else None
    stream = archive.extractfile(member)
    data = stream.read() if stream else b""
    if len(data) < member.size:
        raise tarfile.ReadError("it ends in the middle of a member")
    return Member(name, member.size, data) if is_image_name or sniff(data) else None


def _zip_pictures(stream: BinaryIO, max_bytes: int) -> Iterator[Member]:
    _check_directory(stream)
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if info.is_dir() or _is_hidden(info.filename) or stat.S_ISLNK(info.external_attr >> 16):
                continue
            if info.flag_bits & 1:
                raise zipfile.BadZipFile("it is encrypted; pack it without a password")
            is_image_name = has_picture_suffix(info.filename)
            name = display_name(info.filename)
            if info.file_size > max_bytes:
                if is_image_name:
                    yield Member(name, info.file_size, None)
                continue
            with archive.open(info) as member:
                data = member.read()  # at most the size in the directory entry
            if is_image_name or sniff(data):
                yield Member(name, info.file_size, data)


def _check_directory(stream: BinaryIO) -> None:
    """Raises BadZipFile if the directory is larger than that of any genuine archive, before it is read."""
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
    """Hidden files, and the metadata files of macOS."""
    parts = name.split("/")
    return parts[-1].startswith(".") or "__MACOSX" in parts
