"""The targets of the student for each degraded copy: the label, the teacher's logit and the teacher's features.

The teacher's logits are out of fold: a head that has overfitted to an image only repeats its label. The student's
held-out sources are removed first, so that no teacher of these targets was trained on them. Images without a label have
the mean logits of the same heads, none of which was trained on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.folds import repository_folds
from ...data.index import IndexRow
from ...errors import DataError
from ..encoder.features import TRAIN_VARIANTS, FeatureSet, load_features
from ..encoder.head import HeadOptions, out_of_fold_and_other

TRAINING_SPLITS = ("train", "val", "test")  # validation is by held-out sources instead
HELD_OUT_FOLDS = 6  # one of this many folds of sources is held out


@dataclass(frozen=True, slots=True, eq=False)
class UnlabelledTargets:
    features: FeatureSet  # of M copies; `is_ai` has no meaning
    teacher: NDArray[np.float32]  # (M,) logit(ai) - logit(real)


@dataclass(frozen=True, slots=True, eq=False)
class DistilTargets:
    features: FeatureSet
    held_out: NDArray[
        np.bool_
    ]  # (N,) copies of sources that neither the student nor its teachers are trained on
    teacher: NDArray[np.float32]  # (N,) logit(ai) - logit(real); 0 for held-out copies
    unlabelled: UnlabelledTargets | None = None


def load_targets(
    store: Path,
    cache: Path,
    rows: Sequence[IndexRow],
    repositories: Mapping[str, str],
    options: HeadOptions,
    progress: Callable[[str], None] = lambda text: None,
    unlabelled: FeatureSet | None = None,
) -> DistilTargets:
    """The targets of every training copy in the feature store `store`, and of the copies in `unlabelled`. `cache`: an
    .npz file for the teacher's logits.

    Raises DataError if there are too few sources to hold a fold out.
    """
    features = load_features(store, rows, TRAIN_VARIANTS)
    held_out = repository_folds(features, repositories, HELD_OUT_FOLDS) == 0
    if not held_out.any() or held_out.all():
        raise DataError(f"{store}: too few sources to hold out one of {HELD_OUT_FOLDS} folds; add sources")
    key = {"source": features.source, "held": held_out}
    if unlabelled:
        key["unlabelled"] = unlabelled.picture
    if (logits := _read_cache(cache, key)) is None:
        training = features.subset(~held_out)
        folds = repository_folds(training, repositories, options.folds)
        teacher = np.zeros(len(held_out), np.float32)
        teacher[~held_out], other = out_of_fold_and_other(training, unlabelled, folds, options, progress)
        logits = {"teacher": teacher, "unlabelled_teacher": other.astype(np.float32)}
        with cache.open("wb") as stream:
            np.savez(stream, **key, **logits)  # type: ignore[arg-type]
    other_targets = UnlabelledTargets(unlabelled, logits["unlabelled_teacher"]) if unlabelled else None
    return DistilTargets(features, held_out, logits["teacher"], other_targets)


def _read_cache(cache: Path, key: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]] | None:
    """The arrays of `cache`; None if it does not exist or was written for other images than those of `key`."""
    if not cache.exists():
        return None
    with np.load(cache) as arrays:
        if all(name in arrays and np.array_equal(arrays[name], value) for name, value in key.items()):
            return {name: arrays[name] for name in arrays.files if name.endswith("teacher")}
    return None


def pictures_id(features: FeatureSet) -> str:
    """12 hexadecimal digits that identify the images of `features`."""
    return hashlib.sha256("\n".join(np.unique(features.picture).tolist()).encode()).hexdigest()[:12]


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
