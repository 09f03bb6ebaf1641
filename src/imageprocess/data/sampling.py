"""How often each image is drawn in training, and how much it counts in a measurement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .index import CLASS_INDEX, IndexRow

Weights = NDArray[np.float64]


def source_weights(source: NDArray[np.str_], power: float = 1.0) -> Weights:
    """source (N,) -> weights (N,): the number of images of the same source, raised to `-power`.

    With power 1 every source has the same total weight, with power 0 every image has.
    """
    _, index, counts = np.unique(source, return_inverse=True, return_counts=True)
    return np.asarray(counts[index].astype(np.float64) ** -power)


def class_balanced_weights(is_ai: NDArray[np.bool_], source: NDArray[np.str_], power: float) -> Weights:
    """is_ai, source (N,) -> `source_weights` (N,), scaled so that each class sums to 1."""
    weights = source_weights(source, power)
    for label in (True, False):
        weights[is_ai == label] /= weights[is_ai == label].sum()
    return weights


def group_balanced_weights(
    source: NDArray[np.str_], group: NDArray[np.int64], source_power: float, group_power: float
) -> Weights:
    """source, group (N,) -> `source_weights` (N,), times the total weight of the image's group raised to
    `-group_power`. Groups are numbered from 0."""
    weights = source_weights(source, source_power)
    totals = np.bincount(group, weights)
    return np.asarray(weights * totals[group] ** -group_power)


def epoch_order(rows: Sequence[IndexRow], *, seed: int, epoch: int) -> list[int]:
    """Indices of the images of one epoch in random order: each image once, and images of the smaller class repeated
    until both classes have the same number. Raises DataError if one class is missing."""
    rng = np.random.default_rng((seed, epoch))
    labels = np.array([CLASS_INDEX[row.label] for row in rows])
    by_class = [np.flatnonzero(labels == label) for label in CLASS_INDEX.values()]
    sizes = [len(members) for members in by_class]
    if min(sizes) == 0:
        raise DataError("training needs images of both classes; the index contains only one class")
    balanced = []
    for members in by_class:
        missing = max(sizes) - len(members)
        # Without replacement while every image has to be repeated at most once.
        repeated = rng.choice(members, missing, replace=max(sizes) > 2 * len(members))
        balanced.append(np.concatenate([members, repeated]))
    order: list[int] = rng.permutation(np.concatenate(balanced)).tolist()
    return order
