"""`encoder teacher`: the table of probabilities that a network is trained on (`train --teacher`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...data.folds import repository_folds
from ...data.index import read_index
from ...data.manifest import repositories
from ..calibration import fit_temperature, probabilities
from ..teacher import write_teacher
from .features import TRAIN_VARIANTS, load_features
from .head import HeadOptions, out_of_fold


def write_table(
    data: Path,
    store: Path,
    out: Path,
    options: HeadOptions,
    progress: Callable[[str], None] = lambda text: None,
) -> int:
    """Write `out` for the training images in the feature store `store`. -> number of images

    The logits are out of fold by repository and calibrated; the probability is the mean over the degraded copies.
    Images of the validation and test splits are left out: no head is trained on them, because the network is measured
    on them. Raises DataError if the store has none of the images.
    """
    rows = [row for row in read_index(data) if row.split == "train"]
    features = load_features(store, rows, TRAIN_VARIANTS)
    folds = repository_folds(features, repositories(), options.folds)
    logits = out_of_fold(features, folds, options, progress)
    probability = probabilities(logits, *fit_temperature(logits, features.is_ai))
    pictures, index = np.unique(features.picture, return_inverse=True)
    mean = np.bincount(index, probability) / np.bincount(index)
    write_teacher(out, dict(zip(pictures.tolist(), mean.tolist(), strict=True)))
    return len(pictures)
