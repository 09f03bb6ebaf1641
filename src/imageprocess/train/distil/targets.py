"""What the student is to learn of each copy: the label, the teacher's logit and the teacher's features.

The teacher's logits are out of fold: a head that has learnt a picture by heart says nothing of it but the label. The
student's held-out sources are taken away first, so that no teacher of these targets has seen one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.index import IndexRow
from ...errors import DataError
from ..encoder.features import TRAIN_VARIANTS, FeatureSet, load_features
from ..encoder.head import HeadOptions, out_of_fold, source_folds

LEARNT_SPLITS = ("train", "val", "test")  # sources are held out instead
HELD_FOLDS = 6  # one of so many folds of sources is held out


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    features: FeatureSet
    held: NDArray[np.bool_]  # (N,) of sources that neither the student nor its teachers learn from
    teacher: NDArray[np.float32]  # (N,) logit(ai) - logit(real); 0 where held


def load_lessons(
    store: Path,
    cache: Path,
    rows: Sequence[IndexRow],
    repositories: Mapping[str, str],
    options: HeadOptions,
    progress: Callable[[str], None] = lambda text: None,
) -> Lessons:
    """Of every training copy in the store. The teacher's logits are kept in `cache`, an .npz file."""
    features = load_features(store, rows, TRAIN_VARIANTS)
    held = source_folds(features, repositories, HELD_FOLDS) == 0
    if not held.any() or held.all():
        raise DataError(f"{store}: too few sources to hold one of {HELD_FOLDS} folds out")
    if cache.exists():
        with np.load(cache) as arrays:
            if np.array_equal(arrays["source"], features.source) and np.array_equal(arrays["held"], held):
                return Lessons(features, held, arrays["teacher"])
    learnt = features.subset(~held)
    teacher = np.zeros(len(held), np.float32)
    teacher[~held] = out_of_fold(learnt, source_folds(learnt, repositories, options.folds), options, progress)
    with cache.open("wb") as stream:
        np.savez(stream, source=features.source, held=held, teacher=teacher)
    return Lessons(features, held, teacher)


def open_pixels(pixels: Path, features: FeatureSet) -> list[NDArray[np.uint8]]:
    """Each source's views, memory-mapped, in the order of `features`. Raises DataError where they do not match."""
    names, counts = np.unique(features.source, return_counts=True)
    found = []
    for name, count in zip(names.tolist(), counts.tolist(), strict=True):
        path = pixels / f"{name}.npy"
        if not path.exists():
            raise DataError(f"{path}: not there; the pixels of this store are not complete")
        views = np.load(path, mmap_mode="r")
        if len(views) != count:
            raise DataError(
                f"{path}: holds {len(views)} copies, the features {count}; delete it and run again"
            )
        found.append(views)
    return found
