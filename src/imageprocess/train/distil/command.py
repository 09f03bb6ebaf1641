"""`encoder distil`: pixels, teacher logits, training, and the model folder of the student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.index import UNLABELLED, IndexRow, read_index
from ...data.manifest import repositories
from ...errors import DataError
from ...model.registry import BEST_MODEL, MODELS
from ...model.spec import load_spec
from ..encoder.features import TRAIN_VARIANTS, FeatureSet, Progress, load_features
from ..encoder.head import HeadOptions
from .model import CROPS, Trained, write_model
from .network import INPUT, load_start
from .pixels import write_pixels
from .targets import TRAINING_SPLITS, load_targets, open_pixels, pictures_id
from .training import DistilOptions, train_student

Bar = Callable[[str], AbstractContextManager[Progress]]


def distil(
    data: Path,
    store: Path,
    start: Path,
    work: Path,
    out: Path,
    *,
    name: str,
    version: str,
    options: DistilOptions,
    teacher: HeadOptions,
    jobs: int,
    bar: Bar,
    progress: Callable[[str], None],
    unlabelled: Path | None = None,
) -> None:
    """Write the model folder `out`. `work` stores pixels, teacher logits and the checkpoint of an interrupted run.

    `data`: the data set; `store`: its features; `start`: the file of the ImageNet weights; `unlabelled`: a data set of
    `data unlabelled` whose features are in `store` too. Raises ModelError or DataError.
    """
    weights = load_start(start)
    work.mkdir(parents=True, exist_ok=True)
    rows = read_index(data)
    training = [row for row in rows if row.split in TRAINING_SPLITS]
    other: FeatureSet | None = None
    other_views: list[NDArray[np.uint8]] = []
    if unlabelled:
        other, other_views = open_unlabelled(
            unlabelled, data, rows, store, work, jobs=jobs, bar=bar, progress=progress
        )
    pixels = work / "pixels"
    with bar("pixels of sources") as done:
        write_pixels(data, store, pixels, rows, INPUT, CROPS, jobs=jobs, progress=done)
    targets = load_targets(store, work / "teacher.npz", training, repositories(), teacher, progress, other)
    views = open_pixels(pixels, targets.features)
    with bar("training") as done:
        student = train_student(
            targets, views, dict(weights), options, work / "student.pt", done, other_views
        )
    spec = load_spec(MODELS / BEST_MODEL)
    trained = Trained(student, targets, options, f"{spec.name} {spec.version}", rows)
    write_model(trained, store, pixels, out, name=name, version=version, progress=progress)


def open_unlabelled(
    unlabelled: Path,
    data: Path,
    rows: Sequence[IndexRow],
    store: Path,
    work: Path,
    *,
    jobs: int,
    bar: Bar,
    progress: Callable[[str], None],
) -> tuple[FeatureSet, list[NDArray[np.uint8]]]:
    """The features of the unlabelled images that are not in `rows`, the index of `data`, and the views of each source
    in their order. Missing pixels are written to `work`."""
    other_rows = _unlabelled_rows(unlabelled, data, rows)
    features = load_features(store, other_rows, TRAIN_VARIANTS)
    count = len(set(features.picture.tolist()))
    progress(f"{count:,} of {len(other_rows):,} unlabelled images have features")
    pixels = work / f"unlabelled-{pictures_id(features)}"
    with bar("pixels without labels") as done:
        write_pixels(unlabelled, store, pixels, other_rows, INPUT, CROPS, jobs=jobs, progress=done)
    return features, open_pixels(pixels, features)


def _unlabelled_rows(unlabelled: Path, data: Path, rows: Sequence[IndexRow]) -> list[IndexRow]:
    """The images of the data set `unlabelled` that are not in `rows`, the index of `data`: a test image must not be
    trained on, not even without its label."""
    known = {row.sha256 for row in rows}
    other = [row for row in read_index(unlabelled) if row.split == UNLABELLED and row.sha256 not in known]
    if not other:
        raise DataError(
            f"{unlabelled}: no unlabelled images, or all of them are in {data}; make such a data set with "
            "`imageprocess data unlabelled`"
        )
    return other
