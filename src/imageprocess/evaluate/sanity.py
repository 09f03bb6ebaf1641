"""Sanity checks of an evaluation: baselines that do not use the pixels, and checks of the test itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..types import Thresholds
from .metrics import BEST_GUESS, Bools, Floats, Measured, Scored, measure, measure_with_intervals

_CHANCE = {BEST_GUESS: Thresholds(ai=0.5, real=0.5)}
_FOLDS = 5
_SHUFFLES = 200


def always_real(is_ai: Bools, weights: Floats) -> dict[str, float]:
    """The baseline that classifies every image as real."""
    return measure(is_ai, np.zeros(len(is_ai)), weights, _CHANCE)


def file_facts_alone(scored: Scored, facts: NDArray[np.float64], *, resamples: int) -> Measured | None:
    """Gradient-boosted trees on metadata features (N, columns), cross-validated with no source in two folds.

    None if a class has too few pictures for the folds.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    is_ai, sources = scored.is_ai, scored.sources
    fewest_sources = min(len(np.unique(sources[is_ai])), len(np.unique(sources[~is_ai])))
    if min(int(is_ai.sum()), int((~is_ai).sum())) < _FOLDS:
        return None
    if fewest_sources >= 2:
        splitter = StratifiedGroupKFold(min(_FOLDS, fewest_sources), shuffle=True, random_state=0)
        folds = list(splitter.split(facts, is_ai, sources))
    else:
        folds = list(StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(facts, is_ai))
    trees = HistGradientBoostingClassifier(max_iter=100, random_state=0)
    # A feature that no file has (JPEG quality of PNGs) is NaN everywhere, which scikit-learn's trees do not accept.
    features = np.nan_to_num(facts, nan=-1.0)
    with threadpool_limits(1):  # for a few hundred rows, threads cost more than they gain
        scores = cross_val_predict(trees, features, is_ai, cv=folds, method="predict_proba")[:, 1]
    return measure_with_intervals(Scored(is_ai, scores, sources), _CHANCE, resamples=resamples)


def shuffled_labels(
    scored: Scored, thresholds: Mapping[str, Thresholds]
) -> dict[str, tuple[float, float, float]]:
    """The same scores with randomly permuted labels: (mean, low, high) of each metric at chance level."""
    rng = np.random.default_rng(0)
    ones = np.ones(len(scored.is_ai))
    rows = [measure(rng.permutation(scored.is_ai), scored.scores, ones, thresholds) for _ in range(_SHUFFLES)]
    figures = {}
    for name in ("balanced_accuracy", "auroc", "ap"):
        column = np.array([row[name] for row in rows])
        low, high = np.percentile(column, (2.5, 97.5))
        figures[name] = (float(column.mean()), float(low), float(high))
    return figures
