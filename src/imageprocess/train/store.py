"""The degraded copies of every image of a data set, kept below its folder.

An image is decoded, degraded and encoded once for each of its copies (`equalise`), and the small files are kept: a
training step costs a JPEG decode or, where resized arrays are kept as well, no decode at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from ..data.equalise import VERSION, equalise, picture_seed
from ..data.index import IndexRow
from ..decode import decode
from ..errors import DataError
from ..model.preprocess import resize
from ..model.spec import InputSpec

STORE = f"delivered-{VERSION}"
# The copy of validation and test: drawn from the image's own seed, as `evaluate` draws it.
HELD_OUT = 0

Progress = Callable[[int, int], None]  # done, of


def delivery_path(folder: Path, row: IndexRow, number: int) -> Path:
    return folder / STORE / row.sha256[:2] / f"{row.sha256}.{number}"


def read_delivery(folder: Path, row: IndexRow, number: int) -> NDArray[np.uint8]:
    """-> (H, W, 3) uint8, from the store or, where it is missing there, made from the image itself."""
    path = delivery_path(folder, row, number)
    if not path.exists():
        return equalise(decoded(folder, row), delivery_seed(row, number)).pixels
    with Image.open(path, formats=["JPEG", "WEBP"]) as image:
        return np.asarray(image.convert("RGB"))


def delivery_seed(row: IndexRow, number: int) -> int:
    """Depends on the image alone: runs with other seeds see the same copies, in another order."""
    return picture_seed(row.sha256) + number


def fill_store(
    folder: Path,
    training: Sequence[IndexRow],
    held_out: Sequence[IndexRow],
    *,
    deliveries: int,
    jobs: int,
    progress: Progress,
) -> None:
    """Make the copies that are missing: 1 to `deliveries` of `training`, HELD_OUT of `held_out`. Nothing is written,
    not even a lock, where none is. Raises DataError for an image that is gone."""
    wanted = [(row, range(1, deliveries + 1)) for row in training if deliveries]
    wanted += [(row, range(HELD_OUT, HELD_OUT + 1)) for row in held_out]

    def missing() -> list[tuple[IndexRow, range]]:
        # The last of an image's copies is written last.
        return [(row, kept) for row, kept in wanted if not delivery_path(folder, row, kept[-1]).exists()]

    if not missing():
        return
    with _one_at_a_time(folder):
        work = missing()
        with ProcessPoolExecutor(jobs) as pool:
            rows, numbers = [row for row, _ in work], [kept for _, kept in work]
            made = pool.map(_store_one, [folder] * len(work), rows, numbers, chunksize=16)
            for done, _ in enumerate(made, start=1):
                progress(done, len(work))


def _one_at_a_time(folder: Path) -> FileLock:
    """Of two runs on the same data set the second waits, and finds the copies made."""
    (folder / STORE).mkdir(parents=True, exist_ok=True)
    return FileLock(folder / STORE / ".lock")


def keep_resized(
    folder: Path, rows: Sequence[IndexRow], number: int, spec: InputSpec, *, jobs: int, progress: Progress
) -> None:
    """Keep one copy of each of `rows` at the network's input size: (N, H, W, 3) uint8 in one file, 150 KB an image of
    224 x 224. A file that holds more images than these serves too."""
    if find_resized(folder, rows, number, spec):
        return
    with _one_at_a_time(folder):
        if not find_resized(folder, rows, number, spec):
            _keep_resized(folder, rows, number, spec, jobs=jobs, progress=progress)


def _keep_resized(
    folder: Path, rows: Sequence[IndexRow], number: int, spec: InputSpec, *, jobs: int, progress: Progress
) -> None:
    names = "\n".join(row.sha256 for row in rows)
    digest = hashlib.sha256(names.encode()).hexdigest()[:12]
    path = folder / STORE / "resized" / f"{digest}-{_resized_kind(number, spec)}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part_of(path)
    count = len(rows)
    shape = (count, spec.height, spec.width, 3)
    kept = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
    with ProcessPoolExecutor(jobs) as pool:
        work = pool.map(_resized_one, [folder] * count, rows, [number] * count, [spec] * count, chunksize=64)
        for done, found in enumerate(work):
            kept[done] = found
            progress(done + 1, count)
    kept.flush()
    part.replace(path)
    path.with_suffix(".txt").write_text(names)


def keep_deliveries(
    folder: Path,
    training: Sequence[IndexRow],
    held_out: Sequence[IndexRow],
    spec: InputSpec,
    *,
    deliveries: int,
    jobs: int,
    progress: Progress,
) -> None:
    """`keep_resized` of all that `fill_store` makes."""
    keep_resized(folder, held_out, HELD_OUT, spec, jobs=jobs, progress=progress)
    for number in range(1, deliveries + 1):
        keep_resized(folder, training, number, spec, jobs=jobs, progress=progress)


def find_resized(
    folder: Path, rows: Sequence[IndexRow], number: int, spec: InputSpec
) -> tuple[NDArray[np.uint8], NDArray[np.intp]] | None:
    """What `keep_resized` has kept of all of `rows`: a memory-mapped array (M, H, W, 3), and each row's index in it
    (N,); None where there is none."""
    for names in sorted((folder / STORE / "resized").glob(f"*-{_resized_kind(number, spec)}.txt")):
        places = {name: place for place, name in enumerate(names.read_text().split())}
        found = [places.get(row.sha256) for row in rows]
        if None not in found:
            arrays = np.load(names.with_suffix(".npy"), mmap_mode="r")
            return np.asarray(arrays), np.array(found, dtype=np.intp)
    return None


def _resized_kind(number: int, spec: InputSpec) -> str:
    return f"{spec.width}x{spec.height}-{spec.filter}-{spec.reducing_gap}-{number}"


def decoded(folder: Path, row: IndexRow) -> NDArray[np.uint8]:
    """The picture itself, (H, W, 3) uint8. Raises DataError where it is gone, InputError where it is damaged."""
    try:
        data = (folder / row.path).read_bytes()
    except OSError as error:
        raise DataError(
            f"{folder / row.path}: is in the index and cannot be read ({error.strerror})"
        ) from error
    return decode(data, name=row.path).pixels


def _store_one(folder: Path, row: IndexRow, numbers: range) -> None:
    pixels = decoded(folder, row)
    for number in numbers:
        target = delivery_path(folder, row, number)
        if target.exists():
            continue
        _write(target, equalise(pixels, delivery_seed(row, number)).data)


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _part_of(target)
    part.write_bytes(data)
    part.replace(target)


def _part_of(path: Path) -> Path:
    """Of each machine that trains its own: two may make the same file at once."""
    return path.with_name(f"{path.name}.{os.environ.get('NODE_RANK', '0')}.part")


def _resized_one(folder: Path, row: IndexRow, number: int, spec: InputSpec) -> NDArray[np.uint8]:
    return resize(read_delivery(folder, row, number), spec)
