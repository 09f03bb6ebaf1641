"""The student's inputs: the views of exactly the degraded copies whose features the store contains.

PIXELS/<source>.npy     (N, V, height, width, 3) uint8, rows in the order of `load_features`

Images in the store that are no longer in the data set are left out, as `load_features` leaves them out. The file of a
source is written when all of its images are done; an interrupted run continues with the missing files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from ...data.index import IndexRow
from ...data.tiers import open_original
from ...errors import DataError, InputError
from ...files import replacing
from ...model.spec import InputSpec
from ...model.views import cut_views
from ..encoder.features import Progress, degraded_copies, stored_files, variants_of


def write_pixels(
    data: Path,
    store: Path,
    pixels: Path,
    rows: Sequence[IndexRow],
    spec: InputSpec,
    crops: int,
    *,
    jobs: int = 2,
    progress: Progress = lambda done, of: None,
) -> None:
    """Write the missing files of `pixels`, of every source of `rows` in the feature store `store`.

    Raises DataError if an image can no longer be decoded.
    """
    pixels.mkdir(parents=True, exist_ok=True)
    rows_of: dict[str, dict[str, IndexRow]] = {}
    for row in rows:
        rows_of.setdefault(row.source, {})[row.sha256] = row
    stored = [name for name in rows_of if any(stored_files(store, name))]
    # In a fixed random order, so that an interrupted run has written a random sample of the sources.
    shuffled = [stored[index] for index in np.random.default_rng(0).permutation(len(stored))]
    missing = [name for name in shuffled if not (pixels / f"{name}.npy").exists()]
    done = len(stored) - len(missing)
    progress(done, len(stored))
    with ProcessPoolExecutor(jobs) as pool:
        futures = [
            pool.submit(_write_source, data, store, pixels, name, rows_of[name], spec, crops)
            for name in missing
        ]
        for future in as_completed(futures):
            future.result()
            done += 1
            progress(done, len(stored))


def _stored_copies(store: Path, source: str, rows: Mapping[str, IndexRow]) -> list[tuple[str, str]]:
    """(sha256, variant) of each stored copy of the images in `rows`, in the store's order. Copies of an image that was
    in another split before are left out, as `load_features` leaves them out."""
    copies: list[tuple[str, str]] = []
    for path in stored_files(store, source):
        with np.load(path) as arrays:
            copies += zip(arrays["sha256"].tolist(), arrays["variant"].tolist(), strict=True)
    return [copy for copy in copies if copy[0] in rows and copy[1] in variants_of(rows[copy[0]])]


def _write_source(
    data: Path,
    store: Path,
    pixels: Path,
    source: str,
    rows: Mapping[str, IndexRow],
    spec: InputSpec,
    crops: int,
) -> None:
    copies = _stored_copies(store, source, rows)
    views = np.empty((len(copies), 1 + crops, spec.height, spec.width, 3), np.uint8)
    index_of = {copy: index for index, copy in enumerate(copies)}
    for sha256 in dict.fromkeys(sha256 for sha256, _ in copies):
        row = rows[sha256]
        try:
            original = open_original((data / row.path).read_bytes(), row.path)
        except InputError as error:
            raise DataError(
                f"{data / row.path}: cannot be decoded ({error}), although the feature store has it; build the data "
                "set and its features again"
            ) from error
        for variant, degraded in degraded_copies(original, row):
            if (sha256, variant) in index_of:
                views[index_of[sha256, variant]] = cut_views(degraded, spec, crops)
    with replacing(pixels / f"{source}.npy") as stream:
        np.save(stream, views)
