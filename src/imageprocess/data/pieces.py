"""Checks, splits, crops, writes and hashes the images of one file of a source. Runs in worker processes."""

from __future__ import annotations

import hashlib
import io
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..decode import decode
from ..errors import InputError
from .dedupe import perceptual_hashes
from .facts import estimate_jpeg_quality
from .manifest import SourceEntry

_FLAT_STD = 2.0  # grey levels; images below this are plain surfaces and useless for training
_FLAT_PIXELS = 250_000  # sampled for this test
_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One image of the data set before splits are assigned: facts of its index row, and its hashes."""

    path: str
    source: str
    sha256: str
    bytes: int
    width: int
    height: int
    format: str
    jpeg_quality: int | None
    group: str | None
    phash: int
    dhash: int

    def file_facts(self) -> dict[str, Any]:
        """The columns of the index row that are facts of the written file."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "width": self.width,
            "height": self.height,
            "format": self.format,
            "jpeg_quality": self.jpeg_quality,
        }


@dataclass(frozen=True, slots=True)
class Cut:
    """The accepted images of a file."""

    tiles: list[tuple[int, NDArray[np.uint8]]]  # (number in the file, (H, W, 3))
    whole: bool  # the file is one image, unchanged
    sheet: bool  # it contained several
    format: str
    reason: str | None  # why some of its images were rejected


def tiles_of(entry: SourceEntry, path: str, data: bytes, most: int | None = None) -> Cut:
    """Decode a file, crop it and split it into images; at most `most` of them."""
    try:
        image = decode(data, name=path)
    except InputError as error:
        return Cut([], False, False, "", f"does not decode ({error.code})")
    cropped = _crop(image.pixels, entry)
    tiles = _split(cropped, entry.grid) if entry.grid else [cropped]
    whole = len(tiles) == 1 and cropped.shape == image.pixels.shape
    accepted: list[tuple[int, NDArray[np.uint8]]] = []
    reason = None
    for number in _order(len(tiles), data):
        if len(accepted) == most:
            break
        tile = tiles[number]
        if min(tile.shape[:2]) < max(1, entry.min_side):
            reason = f"under {entry.min_side} px"
        elif _is_flat(tile):
            reason = "a plain surface"
        else:
            accepted.append((number, tile))
    return Cut(accepted, whole, len(tiles) > 1, image.facts.format, reason)


def cut_pieces(
    entry: SourceEntry, path: str, data: bytes, out: Path, most: int | None = None
) -> tuple[list[Piece], str | None]:
    """Write the images of one file, at most `most`. -> the images, and why some were rejected, or None"""
    cut = tiles_of(entry, path, data, most)
    stem = hashlib.sha256(data).hexdigest()[:20]
    folder = Path("images") / entry.label / entry.id
    group = entry.group_of(path) or (f"{entry.repo}:{path}" if cut.sheet else None)
    pieces = []
    for number, tile in cut.tiles:
        if cut.whole:
            target = folder / f"{stem}{suffix(cut.format)}"
            pieces.append(write_piece(data, cut.format, tile, out, target, entry.id, group))
        else:
            target = folder / f"{stem}-{number}.png"
            pieces.append(write_piece(_png(tile), "PNG", tile, out, target, entry.id, group))
    return pieces, cut.reason


def write_piece(
    content: bytes,
    kind: str,
    pixels: NDArray[np.uint8],
    out: Path,
    target: Path,
    source: str,
    group: str | None,
) -> Piece:
    """Write the file to `out` / `target`. `pixels` (H, W, 3): its decoded image."""
    (out / target).write_bytes(content)
    phash, dhash = perceptual_hashes(pixels)
    return Piece(
        path=target.as_posix(),
        source=source,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        width=pixels.shape[1],
        height=pixels.shape[0],
        format=kind,
        jpeg_quality=_jpeg_quality(content, kind),
        group=group,
        phash=phash,
        dhash=dhash,
    )


def suffix(kind: str) -> str:
    """File name suffix by format."""
    return _SUFFIXES.get(kind, f".{kind.lower()}")


def _crop(pixels: NDArray[np.uint8], entry: SourceEntry) -> NDArray[np.uint8]:
    if not entry.crop:
        return pixels
    left, top, right, bottom = entry.crop
    height, width = pixels.shape[:2]
    return pixels[top : max(0, height - bottom), left : max(0, width - right)]


def _split(pixels: NDArray[np.uint8], grid: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """The tiles of a contact sheet of columns x rows. A file whose tiles would not be square is not a contact sheet and
    is returned whole."""
    columns, rows = grid
    height, width = pixels.shape[0] // rows, pixels.shape[1] // columns
    if height == 0 or not 0.9 < width / height < 1.1:
        return [pixels]
    return [
        pixels[y * height : (y + 1) * height, x * width : (x + 1) * width]
        for y in range(rows)
        for x in range(columns)
    ]


def _order(tiles: int, data: bytes) -> list[int]:
    """The order in which tiles are taken, from a pseudorandom start, so that it is not always the same corner."""
    first = zlib.crc32(data) % tiles
    return [*range(first, tiles), *range(first)]


def _is_flat(tile: NDArray[np.uint8]) -> bool:
    """Estimated on a grid of pixels: all pixels of a large image take longer than decoding it, with the same result."""
    step = max(1, math.isqrt(tile.shape[0] * tile.shape[1] // _FLAT_PIXELS))
    return bool(tile[::step, ::step].std() < _FLAT_STD)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _jpeg_quality(content: bytes, kind: str) -> int | None:
    if kind != "JPEG":
        return None
    with Image.open(io.BytesIO(content), formats=["JPEG", "MPO"]) as image:
        return estimate_jpeg_quality(getattr(image, "quantization", None))
