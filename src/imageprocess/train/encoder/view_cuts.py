"""Thresholds on the logit of a single view, beyond which it is reported to look AI-made or real (model/looks.py).

The logit of a view is the mean of its heat map, the linear layer on the mean patch token. It is less accurate than the
head, so the thresholds are set to an error rate of ERRORS on training images, every source with the same weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.sampling import source_weights
from ...model.base.head import Head
from .features import FeatureSet

ERRORS = 0.02
VIEWS = ("whole", "crop")


def fit_view_cuts(data: FeatureSet, head: Head, tests: Mapping[str, FeatureSet]) -> dict[str, Any]:
    """`training.views_alone` of model.json: {view: thresholds, and their error rates on each test set}."""
    facts: dict[str, Any] = {}
    for number, view in enumerate(VIEWS):
        logits, weights = _view_logits(data, head, number), source_weights(data.source)
        real, ai = ~data.is_ai, data.is_ai
        thresholds = {
            "ai": _quantile(logits[real], weights[real], 1 - ERRORS),
            "real": _quantile(logits[ai], weights[ai], ERRORS),
        }
        errors = {
            name: _error_rates(test, _view_logits(test, head, number), thresholds)
            for name, test in tests.items()
        }
        facts[view] = {**thresholds, "measured": errors}
    return facts


def _view_logits(data: FeatureSet, head: Head, view: int) -> NDArray[np.float32]:
    return np.asarray(data.patches[:, view].astype(np.float32) @ head.patches + head.patches_bias, np.float32)


def _quantile(values: NDArray[np.float32], weights: NDArray[np.float64], share: float) -> float:
    """The smallest of the values (N,) at or below which lies at least `share` of the weights (N,)."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return round(float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)]), 3)


def _error_rates(
    data: FeatureSet, logits: NDArray[np.float32], thresholds: Mapping[str, float]
) -> dict[str, float]:
    errors = {
        "real_said_ai": (~data.is_ai, logits > thresholds["ai"]),
        "ai_said_real": (data.is_ai, logits < thresholds["real"]),
    }
    weights = source_weights(data.source)
    return {
        name: round(float(np.average(error[of_class], weights=weights[of_class])), 4)
        for name, (of_class, error) in errors.items()
        if of_class.any()
    }
