"""Measures of scores: AUROC by degradation, coverage and error rates. In AUROC every source has the same weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ...data.index import IndexRow
from ...data.sampling import source_weights
from ..calibration import Calibration, probabilities
from .features import TEST_VARIANTS, FeatureSet, load_features

Score = Callable[[FeatureSet], NDArray[np.float64]]


def auroc_by_variant(data: FeatureSet, scores: NDArray[np.float64]) -> dict[str, float]:
    """{variant: AUROC of scores (N,)}, of each variant that has both classes."""
    weights = source_weights(data.source)
    aurocs = {}
    for variant in np.unique(data.variant):
        mask = data.variant == variant
        if 0 < data.is_ai[mask].mean() < 1:
            value = roc_auc_score(data.is_ai[mask], scores[mask], sample_weight=weights[mask])
            aurocs[str(variant)] = round(float(value), 4)
    return aurocs


def measure_test_sets(
    store: Path, rows: Sequence[IndexRow], score: Score, calibration: Calibration
) -> dict[str, Any]:
    """{test set: AUROC, and coverage and errors of balanced mode in total and by category} of the open_test `rows`.

    `store`: the feature store; `score`: FeatureSet -> logit(ai) - logit(real) (N,).
    """
    measured: dict[str, Any] = {}
    for name in sorted({row.test_set for row in rows if row.split == "open_test"}):
        data = load_features(store, [row for row in rows if row.test_set == name], TEST_VARIANTS)
        scores = score(data)
        probability = probabilities(scores, calibration.temperature, calibration.bias)
        thresholds = calibration.thresholds["balanced"]
        measured[name] = {
            "sources": len(np.unique(data.source)),
            "pictures": len(data.cls) // len(np.unique(data.variant)),
            "auroc": auroc_by_variant(data, scores),
            "balanced_accuracy_best_guess": _balanced_accuracy(data, probability),
            "balanced": _coverage_and_errors(data, probability, thresholds, np.ones(len(scores), bool)),
            "balanced_by_category": {
                str(category): _coverage_and_errors(data, probability, thresholds, data.category == category)
                for category in np.unique(data.category)
            },
        }
    return measured


def _balanced_accuracy(data: FeatureSet, probability: NDArray[np.float64]) -> float | None:
    """Of the threshold 0.5, with the same weight for every source; None if a class is missing."""
    weights, correct = source_weights(data.source), (probability >= 0.5) == data.is_ai
    classes = [data.is_ai, ~data.is_ai]
    if not all(mask.any() for mask in classes):
        return None
    return round(float(np.mean([np.average(correct[mask], weights=weights[mask]) for mask in classes])), 4)


def _coverage_and_errors(
    data: FeatureSet, probability: NDArray[np.float64], thresholds: dict[str, float], mask: NDArray[np.bool_]
) -> dict[str, float]:
    """Of the copies in `mask`: coverage, and the error rate on each class that is present."""
    says_ai, says_real = probability >= thresholds["ai"], probability <= thresholds["real"]
    shares = {"coverage": (says_ai | says_real)[mask].mean()}
    if (mask & ~data.is_ai).any():
        shares["real_called_ai"] = says_ai[mask & ~data.is_ai].mean()
    if (mask & data.is_ai).any():
        shares["ai_called_real"] = says_real[mask & data.is_ai].mean()
    return {name: round(float(value), 4) for name, value in shares.items()}
