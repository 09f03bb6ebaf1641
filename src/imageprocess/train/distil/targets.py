"""The targets of the student for each degraded copy: the label, the teacher's logit and the teacher's features.

The teacher's logits are out of fold: a head that has overfitted to an image only repeats its label. The student's
held-out sources are removed first, so that no teacher of these targets was trained on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.folds import repository_folds
from ...data.index import IndexRow
from ...errors import DataError
from ..encoder.features import TRAIN_VARIANTS, FeatureSet, load_features
from ..encoder.head import HeadOptions, out_of_fold

TRAINING_SPLITS = ("train", "val", "test")  # validation is by held-out sources instead
HELD_OUT_FOLDS = 6  # one of this many folds of sources is held out


@dataclass(frozen=True, slots=True, eq=False)
class DistilTargets:
    features: FeatureSet
    held_out: NDArray[
        np.bool_
    ]  # (N,) copies of sources that neither the student nor its teachers are trained on
    teacher: NDArray[np.float32]  # (N,) logit(ai) - logit(real); 0 for held-out copies


def load_targets(
    store: Path,
    cache: Path,
    rows: Sequence[IndexRow],
    repositories: Mapping[str, str],
    options: HeadOptions,
    progress: Callable[[str], None] = lambda text: None,
) -> DistilTargets:
    """The targets of every training copy in the feature store `store`. `cache`: an .npz file for the teacher's logits.

    Raises DataError if there are too few sources to hold a fold out.
    """
    features = load_features(store, rows, TRAIN_VARIANTS)
    held_out = repository_folds(features, repositories, HELD_OUT_FOLDS) == 0
    if not held_out.any() or held_out.all():
        raise DataError(f"{store}: too few sources to hold out one of {HELD_OUT_FOLDS} folds; add sources")
    if cache.exists():
        with np.load(cache) as arrays:
            if np.array_equal(arrays["source"], features.source) and np.array_equal(arrays["held"], held_out):
                return DistilTargets(features, held_out, arrays["teacher"])
    training = features.subset(~held_out)
    folds = repository_folds(training, repositories, options.folds)
    teacher = np.zeros(len(held_out), np.float32)
    teacher[~held_out] = out_of_fold(training, folds, options, progress)
    with cache.open("wb") as stream:
        np.savez(stream, source=features.source, held=held_out, teacher=teacher)
    return DistilTargets(features, held_out, teacher)


def open_pixels(pixels: Path, features: FeatureSet) -> list[NDArray[np.uint8]]:
    """The views of each source, memory-mapped (n, V, h, w, 3), in the order of `features`.

    Raises DataError if a file is missing or has another number of copies.
    """
    names, counts = np.unique(features.source, return_counts=True)
    views_by_source = []
    for name, count in zip(names.tolist(), counts.tolist(), strict=True):
        path = pixels / f"{name}.npy"
        if not path.exists():
            raise DataError(
                f"{path}: missing, although the feature store has this source; run the command again"
            )
        views = np.load(path, mmap_mode="r")
        if len(views) != count:
            raise DataError(
                f"{path}: contains {len(views)} copies, the feature store {count}; delete the file and run again"
            )
        views_by_source.append(views)
    return views_by_source
