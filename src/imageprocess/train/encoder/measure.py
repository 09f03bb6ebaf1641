"""What a head's scores come to: AUROC by variant with sources weighing alike, and each mode's answers and errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ...data.index import IndexRow
from ..calibration import Calibration, probabilities
from .features import TEST_VARIANTS, FeatureSet, load_features
from .maker_measure import source_weights

Score = Callable[[FeatureSet], NDArray[np.float64]]


def auroc_by_variant(data: FeatureSet, scores: NDArray[np.float64]) -> dict[str, float]:
    """Of each variant that has both classes."""
    weights = source_weights(data.source)
    found = {}
    for variant in np.unique(data.variant):
        mask = data.variant == variant
        if 0 < data.is_ai[mask].mean() < 1:
            value = roc_auc_score(data.is_ai[mask], scores[mask], sample_weight=weights[mask])
            found[str(variant)] = round(float(value), 4)
    return found


def measure_test_sets(
    store: Path, rows: Sequence[IndexRow], score: Score, calibration: Calibration
) -> dict[str, Any]:
    """Every test set among `rows` by its name: AUROC, and what balanced mode answers, whole and by category."""
    found: dict[str, Any] = {}
    for name in sorted({row.test_set for row in rows if row.split == "open_test"}):
        data = load_features(store, [row for row in rows if row.test_set == name], TEST_VARIANTS)
        scores = score(data)
        probability = probabilities(scores, calibration.temperature, calibration.bias)
        cuts = calibration.thresholds["balanced"]
        found[name] = {
            "sources": len(np.unique(data.source)),
            "pictures": len(data.cls) // len(np.unique(data.variant)),
            "auroc": auroc_by_variant(data, scores),
            "balanced_accuracy_best_guess": _balanced_accuracy(data, probability),
            "balanced": _answers(data, probability, cuts, np.ones(len(scores), bool)),
            "balanced_by_category": {
                str(category): _answers(data, probability, cuts, data.category == category)
                for category in np.unique(data.category)
            },
        }
    return found


def _balanced_accuracy(data: FeatureSet, probability: NDArray[np.float64]) -> float | None:
    """At one half, sources weighing alike; None where a class is missing."""
    weights, right = source_weights(data.source), (probability >= 0.5) == data.is_ai
    sides = [data.is_ai, ~data.is_ai]
    if not all(side.any() for side in sides):
        return None
    return round(float(np.mean([np.average(right[side], weights=weights[side]) for side in sides])), 4)


def _answers(
    data: FeatureSet, probability: NDArray[np.float64], cuts: dict[str, float], mask: NDArray[np.bool_]
) -> dict[str, float]:
    """The share answered, and the errors of each class that is there."""
    says_ai, says_real = probability >= cuts["ai"], probability <= cuts["real"]
    shares = {"coverage": (says_ai | says_real)[mask].mean()}
    if (mask & ~data.is_ai).any():
        shares["real_called_ai"] = says_ai[mask & ~data.is_ai].mean()
    if (mask & data.is_ai).any():
        shares["ai_called_real"] = says_real[mask & data.is_ai].mean()
    return {name: round(float(value), 4) for name, value in shares.items()}
