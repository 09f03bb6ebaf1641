"""The store: what every picture was delivered as, kept below the data set's folder.

A picture is decoded, degraded and encoded once for each of its deliveries (`equalise`), and the small files that come
out are kept. A network then trains as fast as it can compute, not as fast as pictures of 12 megapixels can be read:
a step costs a JPEG decode at its own size or, of arrays kept as the network takes them, nothing.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from ..data.equalise import VERSION, equalise, picture_seed, prepare
from ..data.index import IndexRow
from ..decode import decode
from ..errors import DataError
from ..model.preprocess import resize
from ..model.spec import InputSpec
from . import shards

STORE = f"delivered-{VERSION}"
# The delivery that validation and test see: drawn from the picture's own seed, as `evaluate` draws it.
HELD_OUT = 0
_PREPARED_QUALITY = 92

Progress = Callable[[int, int], None]  # done, of


def delivery_path(folder: Path, row: IndexRow, number: int) -> Path:
    return folder / STORE / delivery_name(row, number)


def delivery_name(row: IndexRow, number: int) -> str:
    return f"{row.sha256[:2]}/{row.sha256}.{number}"


def prepared_name(row: IndexRow) -> str:
    return f"{row.sha256[:2]}/{row.sha256}.prepared"


def read_delivery(folder: Path, row: IndexRow, number: int) -> NDArray[np.uint8]:
    """-> (H, W, 3) uint8, from the store's shards, its files or, where it is missing, made from the picture itself."""
    kept = _kept(folder, delivery_name(row, number))
    if kept is None:
        return equalise(decoded(folder, row), delivery_seed(row, number)).pixels
    return _opened(kept)


def read_prepared(folder: Path, row: IndexRow) -> NDArray[np.uint8]:
    """-> (H, W, 3) uint8, `prepare`d, as `keep_prepared` has kept it; anew from the picture where it has not."""
    kept = _kept(folder, prepared_name(row))
    return _opened(kept if kept is not None else _prepared(folder, row))


def _kept(folder: Path, name: str) -> bytes | None:
    """Out of the store's shards, or its files."""
    data = shards.read(folder / STORE, name)
    if data is not None:
        return data
    try:
        return (folder / STORE / name).read_bytes()
    except FileNotFoundError:
        return None


def _opened(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=["JPEG", "WEBP"]) as image:
        return np.asarray(image.convert("RGB"))


def _prepared(folder: Path, row: IndexRow) -> bytes:
    """As a WebP whatever it came as, so that none tells its file's kind; about 42 KB."""
    stream = io.BytesIO()
    Image.fromarray(prepare(decoded(folder, row))).save(stream, "WEBP", quality=_PREPARED_QUALITY)
    return stream.getvalue()


def delivery_seed(row: IndexRow, number: int) -> int:
    """Of the picture alone: runs with other seeds see the same deliveries, in another order."""
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
    """Make the deliveries that are missing: 1 to `deliveries` of `training`, HELD_OUT of `held_out`. Raises DataError
    for a picture that is gone."""
    wanted = [(row, range(1, deliveries + 1)) for row in training if deliveries]
    wanted += [(row, range(HELD_OUT, HELD_OUT + 1)) for row in held_out]

    def missing() -> list[tuple[IndexRow, range]]:
        # The last of a picture's deliveries is written last.
        return [(row, kept) for row, kept in wanted if not _is_kept(folder, delivery_name(row, kept[-1]))]

    _make(folder, missing, _store_one, jobs, progress)


def keep_prepared(folder: Path, rows: Sequence[IndexRow], *, jobs: int, progress: Progress) -> None:
    """Keep each picture `prepare`d: what a run on a device reads instead of the pictures themselves."""

    def missing() -> list[tuple[IndexRow]]:
        return [(row,) for row in rows if not _is_kept(folder, prepared_name(row))]

    _make(folder, missing, _keep_prepared, jobs, progress)


def _make(
    folder: Path,
    missing: Callable[[], list[Any]],
    make: Callable[..., None],
    jobs: int,
    progress: Progress,
) -> None:
    """`make(folder, *each)` of all that is missing; nothing is written, not even a lock, where nothing is."""
    if not missing():
        return
    with _one_at_a_time(folder):
        work = missing()
        with ProcessPoolExecutor(jobs) as pool:
            for done, _ in enumerate(pool.map(partial(_made, folder, make), work, chunksize=16), start=1):
                progress(done, len(work))


def _made(folder: Path, make: Callable[..., None], each: tuple[Any, ...]) -> None:
    make(folder, *each)


def _one_at_a_time(folder: Path) -> FileLock:
    """Of runs on the same data set: the second waits, and finds made what it would have made."""
    (folder / STORE).mkdir(parents=True, exist_ok=True)
    return FileLock(folder / STORE / ".lock")


def _is_kept(folder: Path, name: str) -> bool:
    return (folder / STORE / name).exists() or shards.find(folder / STORE, name) is not None


def pack_store(
    folder: Path,
    training: Sequence[IndexRow],
    held_out: Sequence[IndexRow],
    *,
    deliveries: int,
    prepared: bool = False,
) -> None:
    """Put the store's files that a run needs into shards, from which they are read from then on. They and index.csv are
    all that such a run needs on another machine."""
    names = [delivery_name(row, number) for row in training for number in range(1, deliveries + 1)]
    names += [prepared_name(row) for row in training] if prepared else []
    names += [delivery_name(row, HELD_OUT) for row in held_out]
    if any(shards.find(folder / STORE, name) is None for name in names):
        with _one_at_a_time(folder):
            shards.pack(folder / STORE, names)


def keep_resized(
    folder: Path, rows: Sequence[IndexRow], number: int, spec: InputSpec, *, jobs: int, progress: Progress
) -> None:
    """Keep one delivery of `rows` as the network takes it: (N, H, W, 3) uint8 in one file, 150 KB a picture of
    224 x 224. What is kept of more pictures than these serves too."""
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
    """What `keep_resized` has kept of all of `rows`: an array (M, H, W, 3), read from the disk as it is asked for, and
    each row's place in it (N,); None where there is none."""
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


def _keep_prepared(folder: Path, row: IndexRow) -> None:
    _write(folder / STORE / prepared_name(row), _prepared(folder, row))


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
