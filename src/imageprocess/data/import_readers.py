"""Reads the images of a user's folder, or of a zip of it, with the class and split given by their folders."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..decode import DEFAULT_LIMITS, sniff
from ..errors import DataError
from .layout import Place, arrange

_HEAD = 300  # bytes; what `sniff` looks at
_UNPACKING_ERRORS = (
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """Limits on a zip, so that a small file cannot fill a disk."""

    max_entries: int = 2_000_000
    max_total_bytes: int = 200_000_000_000  # unpacked


DEFAULT_ZIP_LIMITS = ZipLimits()


@dataclass(frozen=True, slots=True)
class SourceImage:
    """The file of one image, not yet decoded, with the class and split of its folder."""

    name: str
    place: Place
    data: bytes


@dataclass(frozen=True, slots=True)
class Skipped:
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageStream:
    """The images of a user's source, read lazily."""

    total: int
    items: Iterator[SourceImage | Skipped]
    licence: str = "none stated"


def read_folder(folder: Path) -> ImageStream:
    """The images below `folder`. Raises DataError if the layout is unknown (`layout.arrange`)."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    placed, unplaced = arrange(names, str(folder))
    return ImageStream(len(placed) + len(unplaced), _folder_items(folder, placed, unplaced))


def _folder_items(
    folder: Path, placed: list[tuple[str, Place]], unplaced: list[str]
) -> Iterator[SourceImage | Skipped]:
    yield from _unplaced(unplaced)
    for name, place in placed:
        path = folder / name
        try:
            size = path.stat().st_size
            if size > DEFAULT_LIMITS.max_bytes:
                yield too_large(name, size)
            else:
                yield SourceImage(name, place, path.read_bytes())
        except OSError as error:
            yield Skipped(name, f"cannot be opened ({error.strerror})")


def read_zip(path: Path, limits: ZipLimits = DEFAULT_ZIP_LIMITS) -> ImageStream:
    """The images in the zip `path`, read one by one; no file is written under a name from the archive.

    Raises DataError if it is not a zip, is encrypted, has more entries than `limits`, a path that points outside it, or
    an unknown layout; and, while its items are read, if they exceed `limits`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise DataError(f"{path}: not a readable zip ({error}); pack the folder again") from error
    if len(entries) > limits.max_entries:
        raise DataError(f"{path}: {len(entries):,} entries; the limit is {limits.max_entries:,}")
    for name, info in entries.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name.replace("\\", "/")).parts:
            raise DataError(
                f"{path}: {name!r} points outside the archive; pack the folder again with relative paths"
            )
        if info.flag_bits & 1:
            raise DataError(f"{path}: {name!r} is encrypted; pack the folder without a password")
    placed, unplaced = arrange(entries, str(path))
    return ImageStream(len(placed) + len(unplaced), _zip_items(path, placed, unplaced, limits))


def _zip_items(
    path: Path, placed: list[tuple[str, Place]], unplaced: list[str], limits: ZipLimits
) -> Iterator[SourceImage | Skipped]:
    yield from _unplaced(unplaced)
    total = 0
    with zipfile.ZipFile(path) as archive:
        for name, place in placed:
            item = _zip_item(archive, name, place)
            yield item
            total += len(item.data) if isinstance(item, SourceImage) else 0
            if total > limits.max_total_bytes:
                raise DataError(
                    f"{path}: unpacks to more than {limits.max_total_bytes:,} bytes; import it in parts"
                )


def _zip_item(archive: zipfile.ZipFile, name: str, place: Place) -> SourceImage | Skipped:
    """Checks the first bytes before inflating the rest, so that a zip bomb that is not an image is not inflated."""
    info = archive.getinfo(name)
    if stat.S_ISLNK(info.external_attr >> 16):
        return Skipped(name, "a symbolic link")
    if info.file_size > DEFAULT_LIMITS.max_bytes:
        return too_large(name, info.file_size)
    try:
        with archive.open(info) as stream:
            head = stream.read(_HEAD)
            if sniff(head) is None:
                return Skipped(name, "not a supported image format")
            # zipfile stops at the size that the entry states, which was checked above.
            return SourceImage(name, place, head + stream.read())
    except _UNPACKING_ERRORS as error:
        return Skipped(name, f"cannot be unpacked ({error})")


def _unplaced(names: list[str]) -> Iterator[Skipped]:
    return (Skipped(name, "not in an ai/ or real/ folder") for name in names)


def too_large(name: str, size: int) -> Skipped:
    return Skipped(name, f"{size:,} bytes; the limit is {DEFAULT_LIMITS.max_bytes:,}")
