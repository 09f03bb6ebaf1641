"""Inspects a sample of a source before a build: counts, sizes, formats, cameras, and a contact sheet."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..errors import DataError
from .dedupe import DUPLICATE_BITS, Hashes, near_pairs, perceptual_hashes, require_imagehash
from .git_objects import read_blobs
from .manifest import SourceEntry
from .pieces import tiles_of

DEFAULT_COUNT = 30  # images to sample
_COLUMNS = 6
_THUMB = 240  # pixels
_LABEL = 16  # pixels below a thumbnail, for its name
_NAME = 38  # characters of a path that fit there
_MAKE, _MODEL = 271, 272  # EXIF tags


@dataclass
class SourceSample:
    """Facts on a sample of a source. A file may contain several images, or none that is accepted."""

    files: int  # matched by the entry
    files_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)  # reason -> files of those
    sizes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    cameras: Counter[str] = field(default_factory=Counter)  # make and model, where EXIF names them
    bytes: list[int] = field(default_factory=list)
    repeats: int = 0  # duplicates within the sample
    thumbs: list[tuple[str, Image.Image]] = field(default_factory=list)


def sample_source(
    entry: SourceEntry, files: list[tuple[str, str]], git_dir: Path, count: int = DEFAULT_COUNT
) -> SourceSample:
    """Read the first `count` images of `files` ([(blob id, path)]), cropped as in a build.

    Raises DataError if no file matches, or none of them is in the clone.
    """
    require_imagehash()
    if not files:
        raise DataError(
            f"{entry.repo}: no file matches {entry.include!r} at {entry.commit[:10]}; list the paths with "
            f"`git ls-tree -r --name-only {entry.commit[:10]}` in {git_dir}"
        )
    sample = SourceSample(len(files))
    hashes: list[Hashes] = []
    contents = read_blobs(git_dir, (blob for blob, _ in files))
    for (_, path), data in zip(files, contents, strict=True):
        if len(sample.thumbs) >= count:
            break
        sample.files_read += 1
        if data is None:
            sample.dropped["missing from the clone"] += 1
            continue
        for tile in _add_tiles(entry, path, data, sample):
            hashes.append(perceptual_hashes(tile))
            sample.thumbs.append((path, _thumbnail(tile)))
    sample.repeats = len({j for _, j in near_pairs(hashes, DUPLICATE_BITS)})
    if sample.dropped["missing from the clone"] == sample.files_read:
        raise DataError(f"{git_dir}: contains none of the {len(files)} files that the entry matches")
    return sample


def draw(sample: SourceSample) -> Image.Image:
    """The contact sheet, each image with the end of its path below it."""
    rows = max(1, -(-len(sample.thumbs) // _COLUMNS))
    cell = _THUMB + 4
    sheet = Image.new("RGB", (_COLUMNS * cell, rows * (cell + _LABEL)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (path, thumb) in enumerate(sample.thumbs):
        x, y = number % _COLUMNS * cell, number // _COLUMNS * (cell + _LABEL)
        sheet.paste(thumb, (x, y))
        label = path[-_NAME:].encode("ascii", "replace").decode()  # the built-in font has no other characters
        pen.text((x + 2, y + cell), label, fill="black")
    return sheet


def _add_tiles(
    entry: SourceEntry, path: str, data: bytes, sample: SourceSample
) -> Iterator[NDArray[np.uint8]]:
    cut = tiles_of(entry, path, data)
    if cut.reason:
        sample.dropped[cut.reason] += 1
    if not cut.tiles:
        return
    sample.formats[cut.format] += 1
    sample.bytes.append(len(data))
    if camera := _camera(data):
        sample.cameras[camera] += 1
    for _, tile in cut.tiles:
        sample.sizes[f"{tile.shape[1]} x {tile.shape[0]}"] += 1
        yield tile


def _thumbnail(pixels: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((_THUMB, _THUMB))
    return image


def _camera(data: bytes) -> str:
    try:
        with Image.open(io.BytesIO(data)) as image:
            exif = image.getexif()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""  # the image decoded, so only its metadata is damaged
    words = (str(exif.get(tag, "")).strip("\0 ") for tag in (_MAKE, _MODEL))
    return " ".join(word for word in words if word)[:60]
