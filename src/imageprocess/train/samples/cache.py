"""The cache of degraded copies, a folder below the data set's own.

Each image is decoded, degraded and encoded once per copy (`data.equalise`). Training then decodes a small JPEG or WebP
file per sample instead.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from ...data.equalise import VERSION, equalise, picture_seed
from ...data.index import IndexRow
from .options import Progress
from .pixels import decode_image

CACHE = (
    f"delivered-{VERSION}"  # the folder's name since the first version, so that existing caches stay valid
)
HELD_OUT_COPY = 0  # the only copy of validation and test images; seeded by the image, as in `evaluate`


def copy_path(folder: Path, row: IndexRow, number: int) -> Path:
    return folder / CACHE / row.sha256[:2] / f"{row.sha256}.{number}"


def copy_seed(row: IndexRow, number: int) -> int:
    """It depends on the image alone: runs with different seeds use the same copies in a different order."""
    return picture_seed(row.sha256) + number


def read_copy(folder: Path, row: IndexRow, number: int) -> NDArray[np.uint8]:
    """-> (H, W, 3) uint8, from the cache or, if it is missing there, made from the original image."""
    path = copy_path(folder, row, number)
    if not path.exists():
        return equalise(decode_image(folder, row), copy_seed(row, number)).pixels
    with Image.open(path, formats=["JPEG", "WEBP"]) as image:
        return np.asarray(image.convert("RGB"))


def cache_copies(
    folder: Path,
    training: Sequence[IndexRow],
    held_out: Sequence[IndexRow],
    *,
    copies: int,
    jobs: int,
    progress: Progress,
) -> None:
    """Make the missing copies: 1 to `copies` of each training image, HELD_OUT_COPY of each held-out image.

    If none is missing, nothing is written, not even a lock file. Raises DataError if an image cannot be read.
    """
    numbers_of = [(row, range(1, copies + 1)) for row in training if copies]
    numbers_of += [(row, range(HELD_OUT_COPY, HELD_OUT_COPY + 1)) for row in held_out]

    def missing() -> list[tuple[IndexRow, range]]:
        # The last copy of an image is written last.
        return [
            (row, numbers) for row, numbers in numbers_of if not copy_path(folder, row, numbers[-1]).exists()
        ]

    if not missing():
        return
    with cache_lock(folder):
        work = missing()
        with ProcessPoolExecutor(jobs) as pool:
            rows, numbers = [row for row, _ in work], [numbers for _, numbers in work]
            results = pool.map(_write_copies, [folder] * len(work), rows, numbers, chunksize=16)
            for done, _ in enumerate(results, start=1):
                progress(done, len(work))


def cache_lock(folder: Path) -> FileLock:
    """Two runs on one data set do not fill the cache at the same time: the second waits and finds it complete."""
    (folder / CACHE).mkdir(parents=True, exist_ok=True)
    return FileLock(folder / CACHE / ".lock")


def part_path(path: Path) -> Path:
    """A temporary name per machine: several machines may write the same file at once."""
    return path.with_name(f"{path.name}.{os.environ.get('NODE_RANK', '0')}.part")


def _write_copies(folder: Path, row: IndexRow, numbers: range) -> None:
    pixels = decode_image(folder, row)
    for number in numbers:
        path = copy_path(folder, row, number)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_path(path)
        part.write_bytes(equalise(pixels, copy_seed(row, number)).data)
        part.replace(path)
