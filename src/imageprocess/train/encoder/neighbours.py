"""A small embedding of features in which training sources lie apart, and the centroid of each source in it.

The directions are the principal components of the sources' means, each divided by the spread within sources. A distance
of 1 is the median distance of a training picture to the centroid of its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.base.maker import Linear8
from ...model.nearest import TrainingSources
from .features import FeatureSet

DIMENSIONS = 32
Float = NDArray[np.float32]


def fit_embedding(
    data: FeatureSet, generators: Mapping[str, str], slots: NDArray[np.int64], taps: int
) -> tuple[Linear8, TrainingSources, dict[str, Any]]:
    """The embedding, the sources in it, and how often a picture that was left out of the centroids finds its own."""
    names, index = np.unique(data.source, return_inverse=True)
    pair = data.cls[:, :2].reshape(len(data.cls), 2, taps, -1)
    features = pair[:, :, slots].reshape(len(pair), -1).astype(np.float32)  # (N, D)
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    features = (features - mean) / deviation
    means = _means(features, index, len(names))
    centre = means.mean(0)
    _, _, directions = np.linalg.svd(means - centre, full_matrices=False)
    basis = directions[:DIMENSIONS].T  # (D, E)
    projected = (features - centre) @ basis
    within = (projected - _means(projected, index, len(names))[index]).std(0) + 1e-6
    projected = projected / within
    centroids = _means(projected, index, len(names))
    unit = float(np.median(np.linalg.norm(projected - centroids[index], axis=1))) or 1.0
    weight = basis / within / unit
    bias = -(centre @ weight) - (mean / deviation) @ weight
    embedding = Linear8.of((weight / deviation[:, None]).astype(np.float32), bias.astype(np.float32))
    scale = np.float32(max(float(np.abs(centroids / unit).max()), 1e-12) / 127)
    is_ai = np.array([bool(data.is_ai[index == number].any()) for number in range(len(names))])
    told = np.array([generators.get(str(n), "") if ai else "" for n, ai in zip(names, is_ai, strict=True)])
    rounded = np.clip(np.rint(centroids / unit / scale), -127, 127).astype(np.int8)
    sources = TrainingSources(names, is_ai, told, rounded, scale)
    return embedding, sources, _left_out(projected, index, data.group, is_ai)


def _means(values: Float, index: NDArray[np.int64], count: int) -> Float:
    return np.stack([values[index == number].mean(0) for number in range(count)])


def _left_out(
    projected: Float, index: NDArray[np.int64], group: NDArray[np.str_], is_ai: NDArray[np.bool_]
) -> dict[str, Any]:
    """Centroids of every other group of pictures; the rest must find their source among the closest."""
    _, number = np.unique(group, return_inverse=True)
    kept = number % 2 == 0
    both = [n for n in np.unique(index) if (kept & (index == n)).any() and (~kept & (index == n)).any()]
    if not both:
        return {}
    centroids = np.stack([projected[kept & (index == n)].mean(0) for n in both])
    shown = ~kept & np.isin(index, both)
    seen = projected[shown]
    squares = (seen**2).sum(1)[:, None] - 2 * seen @ centroids.T + (centroids**2).sum(1)[None]
    order = np.argsort(squares, axis=1)[:, :3]
    own = np.searchsorted(both, index[shown])
    weights = 1 / np.bincount(own)[own]
    return {
        "sources": len(both),
        "own_is_closest": round(float(np.average(order[:, 0] == own, weights=weights)), 4),
        "own_among_3": round(float(np.average((order == own[:, None]).any(1), weights=weights)), 4),
        "same_class_closest": round(
            float(np.average(is_ai[both][order[:, 0]] == is_ai[index[shown]], weights=weights)), 4
        ),
    }
