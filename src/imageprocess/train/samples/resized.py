"""The cache of degraded copies at the network's input size: memory-mapped arrays, so that no sample is decoded.

CACHE/resized/<digest>-<kind>.npy    (N, H, W, 3) uint8: one copy of each of N images, 150 KB an image of 224 x 224
CACHE/resized/<digest>-<kind>.txt    the sha256 of each image, one a line
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.index import IndexRow
from ...model.preprocess import resize
from ...model.spec import InputSpec
from .cache import CACHE, HELD_OUT_COPY, cache_lock, part_path, read_copy
from .options import Progress


def cache_all_resized(
    folder: Path,
    training: Sequence[IndexRow],
    held_out: Sequence[IndexRow],
    spec: InputSpec,
    *,
    copies: int,
    jobs: int,
    progress: Progress,
) -> None:
    """`cache_resized` of every copy that `cache.cache_copies` makes."""
    cache_resized(folder, held_out, HELD_OUT_COPY, spec, jobs=jobs, progress=progress)
    for number in range(1, copies + 1):
        cache_resized(folder, training, number, spec, jobs=jobs, progress=progress)


def cache_resized(
    folder: Path, rows: Sequence[IndexRow], number: int, spec: InputSpec, *, jobs: int, progress: Progress
) -> None:
    """Store copy `number` of each of `rows`, unless an array that contains all of them exists."""
    if find_resized(folder, rows, number, spec):
        return
    with cache_lock(folder):
        if not find_resized(folder, rows, number, spec):
            _write_resized(folder, rows, number, spec, jobs=jobs, progress=progress)


def find_resized(
    folder: Path, rows: Sequence[IndexRow], number: int, spec: InputSpec
) -> tuple[NDArray[np.uint8], NDArray[np.intp]] | None:
    """A memory-mapped array (M, H, W, 3) that contains copy `number` of all of `rows`, and the index of each row in
    it (N,); None if there is none."""
    for names in sorted((folder / CACHE / "resized").glob(f"*-{_kind(number, spec)}.txt")):
        index_of = {name: index for index, name in enumerate(names.read_text().split())}
        indices = [index_of.get(row.sha256) for row in rows]
        if None not in indices:
            arrays = np.load(names.with_suffix(".npy"), mmap_mode="r")
            return np.asarray(arrays), np.array(indices, dtype=np.intp)
    return None


def _write_resized(
    folder: Path, rows: Sequence[IndexRow], number: int, spec: InputSpec, *, jobs: int, progress: Progress
) -> None:
    names = "\n".join(row.sha256 for row in rows)
    digest = hashlib.sha256(names.encode()).hexdigest()[:12]
    path = folder / CACHE / "resized" / f"{digest}-{_kind(number, spec)}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_path(path)
    count = len(rows)
    shape = (count, spec.height, spec.width, 3)
    arrays = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
    with ProcessPoolExecutor(jobs) as pool:
        results = pool.map(
            _resized_copy, [folder] * count, rows, [number] * count, [spec] * count, chunksize=64
        )
        for index, pixels in enumerate(results):
            arrays[index] = pixels
            progress(index + 1, count)
    arrays.flush()
    part.replace(path)
    path.with_suffix(".txt").write_text(names)


def _resized_copy(folder: Path, row: IndexRow, number: int, spec: InputSpec) -> NDArray[np.uint8]:
    return resize(read_copy(folder, row, number), spec)


def _kind(number: int, spec: InputSpec) -> str:
    return f"{spec.width}x{spec.height}-{spec.filter}-{spec.reducing_gap}-{number}"
