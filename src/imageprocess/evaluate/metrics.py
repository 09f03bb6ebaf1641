"""The metrics, and their confidence intervals.

Intervals are 95 % percentile bootstrap intervals, clustered by source: sources are resampled, then images within each,
so that a thousand images of one source do not count as a thousand independent ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import Thresholds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BEST_GUESS = "best-guess"
_BINS = 15  # Guo et al. 2017, "On Calibration of Modern Neural Networks"
_LEVEL = (2.5, 97.5)  # percent


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The scores of one model on one tier."""

    is_ai: Bools  # (N,)
    scores: Floats  # (N,) probability_ai
    sources: NDArray[np.str_]  # (N,)
    too_small: Bools | bool = False  # (N,), or one value for all: see `ModelFacts.too_small`

    def where(self, mask: Bools) -> Scored:
        too_small = np.broadcast_to(self.too_small, self.scores.shape)
        return Scored(self.is_ai[mask], self.scores[mask], self.sources[mask], too_small[mask])


@dataclass(frozen=True, slots=True)
class Measured:
    """Metric -> value, and metric -> interval (low, high). Undefined metrics (NaN) are omitted."""

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def decisions(scores: Floats, limits: Thresholds, too_small: Bools | bool) -> tuple[Bools, Bools]:
    """scores (...) -> masks of the images decided as AI and as real; all others are "unsure": rows 7a to 9 of
    `verdict`."""
    says_ai = scores >= limits.ai
    says_real = (scores <= limits.real) & ~says_ai
    covered = np.logical_not(too_small) | (limits.real >= limits.ai)  # such a mode never abstains
    return says_ai & covered, says_real & covered


def measure(
    is_ai: Bools,
    scores: Floats,
    weights: Floats,
    thresholds: Mapping[str, Thresholds],
    too_small: Bools | bool = False,
) -> dict[str, float]:
    """All metrics of one set of scores (N,); `weights` (N,) are the weights of the images.

    accuracy and balanced_accuracy are at the best-guess threshold; `fpr@MODE`, `tpr@MODE`, `coverage@MODE` (share of
    images that are not "unsure") and `error@MODE` (share of errors among those) at the thresholds of the model. ece and
    brier weight both classes equally (`balance_classes`).
    """
    from sklearn import config_context
    from sklearn.metrics import auc, roc_curve

    with config_context(
        assume_finite=True, skip_parameter_validation=True
    ):  # halves the time of thousands of calls
        fpr, tpr, _ = roc_curve(is_ai, scores, sample_weight=weights, drop_intermediate=False)
    says_ai = scores >= thresholds[BEST_GUESS].ai
    recall = _share(says_ai, weights * is_ai)
    specificity = _share(~says_ai, weights * ~is_ai)
    figures = {
        "accuracy": _share(says_ai == is_ai, weights),
        "balanced_accuracy": (recall + specificity) / 2,
        "auroc": float(auc(fpr, tpr)),
        "ap": _average_precision(fpr * (weights * ~is_ai).sum(), tpr * (weights * is_ai).sum()),
        "tpr_at_1_fpr": float(tpr[fpr <= 0.01].max()),
        "tpr_at_5_fpr": float(tpr[fpr <= 0.05].max()),
        "ece": expected_calibration_error(is_ai, scores, weights),
        "brier": float((scores - is_ai) ** 2 @ balance_classes(is_ai, weights)),
    }
    for mode, limits in thresholds.items():
        says_ai, says_real = decisions(scores, limits, too_small)
        covered = says_ai | says_real
        figures[f"fpr@{mode}"] = _share(says_ai, weights * ~is_ai)
        figures[f"tpr@{mode}"] = _share(says_ai, weights * is_ai)
        figures[f"coverage@{mode}"] = _share(covered, weights)
        figures[f"error@{mode}"] = _share(says_ai != is_ai, weights * covered)
    return figures


def _average_precision(false: Floats, true: Floats) -> float:
    """As scikit-learn's average_precision_score, from an existing ROC curve.

    `false` and `true`: weights of the real and of the AI images at or above each threshold, thresholds descending.
    """
    precision = true[1:] / (false[1:] + true[1:])
    return float((np.diff(true) * precision).sum() / true[-1])


def confusion(scored: Scored, thresholds: Mapping[str, Thresholds]) -> dict[str, dict[str, dict[str, int]]]:
    """mode -> true class ("ai", "real") -> decision ("ai", "unsure", "real") -> number of images."""
    tables = {}
    for mode, limits in thresholds.items():
        says_ai, says_real = decisions(scored.scores, limits, scored.too_small)
        tables[mode] = {
            truth: {
                "ai": int((says_ai & members).sum()),
                "unsure": int((~says_ai & ~says_real & members).sum()),
                "real": int((says_real & members).sum()),
            }
            for truth, members in (("ai", scored.is_ai), ("real", ~scored.is_ai))
        }
    return tables


def expected_calibration_error(is_ai: Bools, scores: Floats, weights: Floats) -> float:
    """The mean gap between predicted probability and observed share, over 15 bins of equal width, classes balanced."""
    predicted, observed, mass = reliability(is_ai, scores, weights)
    return float(np.nansum(np.abs(predicted - observed) * mass))


def balance_classes(is_ai: Bools, weights: Floats) -> Floats:
    """`weights` (N,), scaled within each class so that each class sums to 0.5.

    Probabilities are calibrated for balanced classes (`train.calibration.fit_temperature`): on an unbalanced set, even
    perfectly calibrated ones would deviate.
    """
    return weights * np.where(is_ai, 0.5 / (weights @ is_ai), 0.5 / (weights @ ~is_ai))


def reliability(is_ai: Bools, scores: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean score, share of AI (both NaN if empty) and weight (sum 1) of each of 15 bins, classes balanced."""
    weights = balance_classes(is_ai, weights)
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    mass = np.bincount(bins, weights, _BINS).astype(np.float64)
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(bins, weights * scores, _BINS) / mass
        observed = np.bincount(bins, weights * is_ai, _BINS) / mass
    return predicted, observed, mass


def measure_with_intervals(
    scored: Scored, thresholds: Mapping[str, Thresholds], *, resamples: int, by_source: bool = False
) -> Measured:
    """All metrics with their intervals. `by_source`: all sources have the same weight; else all images have."""
    weights = source_weights(scored) if by_source else np.ones(len(scored.scores))

    def statistic(counts: Floats) -> dict[str, float]:
        return measure(scored.is_ai, scored.scores, counts * weights, thresholds, scored.too_small)

    return with_intervals(statistic, scored, resamples)


def with_intervals(
    statistic: Callable[[Floats], Mapping[str, float]], scored: Scored, resamples: int
) -> Measured:
    """`statistic`: counts of the images (N,) -> named values."""
    values = {k: v for k, v in statistic(np.ones(len(scored.scores))).items() if not np.isnan(v)}
    samples = [statistic(counts) for counts in draws(scored, resamples)]
    intervals = {}
    for name in values if samples else ():
        column = np.array([sample[name] for sample in samples])
        if name == "ece":
            # Resampling adds noise to each bin, and gaps are absolute, so samples are biased upwards: centre them.
            column = np.clip(column + values[name] - np.nanmean(column), 0, None)
        low, high = np.nanpercentile(column, _LEVEL)
        intervals[name] = (float(low), float(high))
    return Measured(values, intervals)


def source_weights(scored: Scored) -> Floats:
    """Weights (N,): all sources of a class have the same weight, and each class sums to its number of images."""
    weights = np.ones(len(scored.scores))
    for members in _clusters(scored):
        weights[members] = 1 / len(members)
    for mask in (scored.is_ai, ~scored.is_ai):
        if mask.any():
            weights[mask] *= mask.sum() / weights[mask].sum()
    return weights


def draws(scored: Scored, resamples: int) -> Iterator[Floats]:
    """Bootstrap counts (N,), the same sequence for the same images, so that models and tiers are compared in pairs.

    Sources are drawn with replacement within their class (so that no class is ever empty), then images within them.
    """
    rng = np.random.default_rng(20_241_126)
    clusters = _clusters(scored)
    classes = [
        of_class
        for value in (True, False)
        if (of_class := [members for members in clusters if scored.is_ai[members[0]] == value])
    ]
    for _ in range(resamples):
        counts = np.zeros(len(scored.scores))
        for of_class in classes:
            for index, times in enumerate(np.bincount(rng.integers(0, len(of_class), len(of_class)))):
                members = of_class[index]
                picks = rng.integers(0, len(members), times * len(members))
                counts[members] += np.bincount(picks, minlength=len(members))
        yield counts


def _clusters(scored: Scored) -> list[NDArray[np.intp]]:
    """Indices of the images of each source in each class."""
    _, inverse = np.unique(
        np.char.add(np.where(scored.is_ai, "a:", "r:"), scored.sources), return_inverse=True
    )
    order = np.argsort(inverse, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(inverse[order])) + 1)


def _share(mask: Bools, weights: Floats) -> float:
    total = weights.sum()
    return float((weights * mask).sum() / total) if total > 0 else float("nan")
