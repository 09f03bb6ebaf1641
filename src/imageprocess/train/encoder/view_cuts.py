"""From which reading on a single view may be said to look AI-made or real, see model/looks.py.

A reading is the mean of a view's heat map: the linear layer on the view's mean patch token. It is worse than the head,
so a side is told only beyond what ERRORS of the training pictures of the other class reach, sources weighing alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.base.head import Head
from .features import FeatureSet
from .maker_measure import source_weights

ERRORS = 0.02
VIEWS = ("whole", "crop")


def fit_view_cuts(data: FeatureSet, head: Head, tests: Mapping[str, FeatureSet]) -> dict[str, Any]:
    """`training.views_alone` of model.json: by view the cuts, and how often the wrong side is told of each test set."""
    found: dict[str, Any] = {}
    for number, view in enumerate(VIEWS):
        readings, weights = _readings(data, head, number), source_weights(data.source)
        real, ai = ~data.is_ai, data.is_ai
        cuts = {
            "ai": _quantile(readings[real], weights[real], 1 - ERRORS),
            "real": _quantile(readings[ai], weights[ai], ERRORS),
        }
        told = {name: _wrong(test, _readings(test, head, number), cuts) for name, test in tests.items()}
        found[view] = {**cuts, "measured": told}
    return found


def _readings(data: FeatureSet, head: Head, view: int) -> NDArray[np.float32]:
    return np.asarray(data.patches[:, view].astype(np.float32) @ head.patches + head.patches_bias, np.float32)


def _quantile(values: NDArray[np.float32], weights: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return round(float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)]), 3)


def _wrong(data: FeatureSet, readings: NDArray[np.float32], cuts: Mapping[str, float]) -> dict[str, float]:
    sides = {
        "real_said_ai": (~data.is_ai, readings > cuts["ai"]),
        "ai_said_real": (data.is_ai, readings < cuts["real"]),
    }
    weights = source_weights(data.source)
    return {
        name: round(float(np.average(hit[of], weights=weights[of])), 4)
        for name, (of, hit) in sides.items()
        if of.any()
    }
