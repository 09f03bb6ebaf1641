"""A low-dimensional embedding of features that separates training sources, and the centroid of each source in it.

The directions are the principal components of the means of the sources, each divided by the standard deviation within
sources. Distances are in units of the median distance of a training image from the centroid of its source.
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
    """-> the embedding, the centroids of the sources, and how often held-out images are closest to their own source."""
    names, index = np.unique(data.source, return_inverse=True)
    views = data.cls[:, :2].reshape(len(data.cls), 2, taps, -1)
    features = views[:, :, slots].reshape(len(views), -1).astype(np.float32)  # (N, D)
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
    families = np.array(
        [generators.get(str(n), "") if ai else "" for n, ai in zip(names, is_ai, strict=True)]
    )
    rounded = np.clip(np.rint(centroids / unit / scale), -127, 127).astype(np.int8)
    sources = TrainingSources(names, is_ai, families, rounded, scale)
    return embedding, sources, _measure_held_out(projected, index, data.group, is_ai)


def _means(values: Float, index: NDArray[np.int64], count: int) -> Float:
    return np.stack([values[index == number].mean(0) for number in range(count)])


def _measure_held_out(
    projected: Float, index: NDArray[np.int64], group: NDArray[np.str_], is_ai: NDArray[np.bool_]
) -> dict[str, Any]:
    """How often images of every other near-duplicate group are closest to their own source, with centroids of the other
    images. {} if no source has images of both kinds."""
    _, number = np.unique(group, return_inverse=True)
    fitted = number % 2 == 0
    both = [n for n in np.unique(index) if (fitted & (index == n)).any() and (~fitted & (index == n)).any()]
    if not both:
        return {}
    centroids = np.stack([projected[fitted & (index == n)].mean(0) for n in both])
    held_out = ~fitted & np.isin(index, both)
    points = projected[held_out]
    squared_distances = (points**2).sum(1)[:, None] - 2 * points @ centroids.T + (centroids**2).sum(1)[None]
    order = np.argsort(squared_distances, axis=1)[:, :3]
    own = np.searchsorted(both, index[held_out])
    weights = 1 / np.bincount(own)[own]
    return {
        "sources": len(both),
        "own_is_closest": round(float(np.average(order[:, 0] == own, weights=weights)), 4),
        "own_among_3": round(float(np.average((order == own[:, None]).any(1), weights=weights)), 4),
        "same_class_closest": round(
            float(np.average(is_ai[both][order[:, 0]] == is_ai[index[held_out]], weights=weights)), 4
        ),
    }
