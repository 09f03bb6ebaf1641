"""The student's inputs: the views of the very copies whose features the store holds.

PIXELS/<source>.npy     (N, V, height, width, 3) uint8, rows as `load_features` gives them

The store may hold pictures that the data set has dropped since; they are left out here as there.

A source is written when all of its pictures are done, so that a run that was interrupted goes on behind it.
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
from ..encoder.features import Progress, copies_of, stored_files


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
    """Fill `pixels` for every source among `rows` that `store` holds."""
    pixels.mkdir(parents=True, exist_ok=True)
    sources: dict[str, dict[str, IndexRow]] = {}
    for row in rows:
        sources.setdefault(row.source, {})[row.sha256] = row
    held = [name for name in sources if any(stored_files(store, name))]
    # In a fixed random order, so that what an interrupted run has written is a mixture of everything.
    order = [held[index] for index in np.random.default_rng(0).permutation(len(held))]
    todo = [name for name in order if not (pixels / f"{name}.npy").exists()]
    done = len(held) - len(todo)
    progress(done, len(held))
    with ProcessPoolExecutor(jobs) as pool:
        futures = [
            pool.submit(_write_source, data, store, pixels, name, sources[name], spec, crops) for name in todo
        ]
        for future in as_completed(futures):
            future.result()
            done += 1
            progress(done, len(held))


def _stored_copies(store: Path, source: str, rows: Mapping[str, IndexRow]) -> list[tuple[str, str]]:
    """sha256 and variant of each copy of a picture among `rows` that the store holds, in its order."""
    found: list[tuple[str, str]] = []
    for path in stored_files(store, source):
        with np.load(path) as arrays:
            found += zip(arrays["sha256"].tolist(), arrays["variant"].tolist(), strict=True)
    return [copy for copy in found if copy[0] in rows]


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
    out = np.empty((len(copies), 1 + crops, spec.height, spec.width, 3), np.uint8)
    place = {copy: index for index, copy in enumerate(copies)}
    for sha256 in dict.fromkeys(sha256 for sha256, _ in copies):
        row = rows[sha256]
        try:
            original = open_original((data / row.path).read_bytes(), row.path)
        except InputError as error:
            raise DataError(f"{row.path}: cannot be read any more ({error})") from error
        for variant, degraded in copies_of(original, row):
            if (sha256, variant) in place:
                out[place[sha256, variant]] = cut_views(degraded, spec, crops)
    with replacing(pixels / f"{source}.npy") as stream:
        np.save(stream, out)
