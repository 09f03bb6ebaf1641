"""What is measured, and how sure of it one can be.

Intervals are 95 % percentile bootstrap intervals over sources: sources are drawn, then pictures within each, so
that a thousand pictures of one source do not count as a thousand.
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
    """One model's answers on one tier."""

    is_ai: Bools  # (N,)
    scores: Floats  # (N,) probability_ai
    sources: NDArray[np.str_]  # (N,)
    too_small: Bools | bool = False  # (N,), or of all: `ModelFacts.too_small`

    def where(self, mask: Bools) -> Scored:
        too_small = np.broadcast_to(self.too_small, self.scores.shape)
        return Scored(self.is_ai[mask], self.scores[mask], self.sources[mask], too_small[mask])


@dataclass(frozen=True, slots=True)
class Measured:
    """By name of the metric. An interval is (low, high); a metric that does not exist here (NaN) is left out."""

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def answers(scores: Floats, cut: Thresholds, too_small: Bools | bool) -> tuple[Bools, Bools]:
    """scores (...) -> which pictures are called AI and which real, the others "unsure": `verdict`, rows 7a to 9."""
    says_ai = scores >= cut.ai
    says_real = (scores <= cut.real) & ~says_ai
    covered = np.logical_not(too_small) | (cut.real >= cut.ai)  # such a mode never abstains
    return says_ai & covered, says_real & covered


def measure(
    is_ai: Bools,
    scores: Floats,
    weights: Floats,
    thresholds: Mapping[str, Thresholds],
    too_small: Bools | bool = False,
) -> dict[str, float]:
    """Every metric of one set of answers; `weights` (N,) are how often each picture counts.

    accuracy and balanced_accuracy are taken at the best-guess threshold, `fpr@MODE`, `tpr@MODE`, `coverage@MODE`
    (answers that are not "unsure") and `error@MODE` (of those answers) at the thresholds that the model ships. ece and
    brier weigh both classes alike (`classes_alike`).
    """
    from sklearn import config_context
    from sklearn.metrics import auc, roc_curve

    with config_context(
        assume_finite=True, skip_parameter_validation=True
    ):  # thousands of calls: half their time
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
        "brier": float((scores - is_ai) ** 2 @ classes_alike(is_ai, weights)),
    }
    for mode, cut in thresholds.items():
        says_ai, says_real = answers(scores, cut, too_small)
        covered = says_ai | says_real
        figures[f"fpr@{mode}"] = _share(says_ai, weights * ~is_ai)
        figures[f"tpr@{mode}"] = _share(says_ai, weights * is_ai)
        figures[f"coverage@{mode}"] = _share(covered, weights)
        figures[f"error@{mode}"] = _share(says_ai != is_ai, weights * covered)
    return figures


def _average_precision(false: Floats, true: Floats) -> float:
    """What scikit-learn's average_precision_score gives, from a ROC curve that is there already.

    `false` and `true`: weights of the real and of the AI pictures at or above each threshold, falling.
    """
    precision = true[1:] / (false[1:] + true[1:])
    return float((np.diff(true) * precision).sum() / true[-1])


def confusion(scored: Scored, thresholds: Mapping[str, Thresholds]) -> dict[str, dict[str, dict[str, int]]]:
    """mode -> what it is ("ai", "real") -> what is said ("ai", "unsure", "real") -> pictures."""
    tables = {}
    for mode, cut in thresholds.items():
        says_ai, says_real = answers(scored.scores, cut, scored.too_small)
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
    """The mean gap between what is said and what is so, over 15 bins of equal width, both classes weighing alike."""
    predicted, observed, mass = reliability(is_ai, scores, weights)
    return float(np.nansum(np.abs(predicted - observed) * mass))


def classes_alike(is_ai: Bools, weights: Floats) -> Floats:
    """weights (N,) -> (N,) in proportion to them within a class, each class summing to a half.

    A probability is calibrated for pictures of which half are an AI's (`train.calibration.fit_temperature`): taken as
    they come, even a perfect one would be off by their mix.
    """
    return weights * np.where(is_ai, 0.5 / (weights @ is_ai), 0.5 / (weights @ ~is_ai))


def reliability(is_ai: Bools, scores: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """-> mean score, share of AI (NaN if empty) and weight (in all 1) of each of 15 bins, classes weighing alike."""
    weights = classes_alike(is_ai, weights)
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    mass = np.bincount(bins, weights, _BINS).astype(np.float64)
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(bins, weights * scores, _BINS) / mass
        observed = np.bincount(bins, weights * is_ai, _BINS) / mass
    return predicted, observed, mass


def measure_with_intervals(
    scored: Scored, thresholds: Mapping[str, Thresholds], *, resamples: int, by_source: bool = False
) -> Measured:
    """`by_source`: every source counts the same, however many pictures it gave; else every picture does."""
    weights = source_weights(scored) if by_source else np.ones(len(scored.scores))

    def statistic(counts: Floats) -> dict[str, float]:
        return measure(scored.is_ai, scored.scores, counts * weights, thresholds, scored.too_small)

    return with_intervals(statistic, scored, resamples)


def with_intervals(
    statistic: Callable[[Floats], Mapping[str, float]], scored: Scored, resamples: int
) -> Measured:
    """`statistic` takes how often each picture counts, (N,), and gives named values."""
    values = {k: v for k, v in statistic(np.ones(len(scored.scores))).items() if not np.isnan(v)}
    drawn = [statistic(counts) for counts in draws(scored, resamples)]
    intervals = {}
    for name in values if drawn else ():
        column = np.array([row[name] for row in drawn])
        if name == "ece":
            # A draw adds noise to every bin, and the gaps are absolute, so draws lie above the value: centred on it.
            column = np.clip(column + values[name] - np.nanmean(column), 0, None)
        low, high = np.nanpercentile(column, _LEVEL)
        intervals[name] = (float(low), float(high))
    return Measured(values, intervals)


def source_weights(scored: Scored) -> Floats:
    """(N,): each source of a class weighs the same, each class sums to its number of pictures."""
    weights = np.ones(len(scored.scores))
    for members in _clusters(scored):
        weights[members] = 1 / len(members)
    for cls in (scored.is_ai, ~scored.is_ai):
        if cls.any():
            weights[cls] *= cls.sum() / weights[cls].sum()
    return weights


def draws(scored: Scored, resamples: int) -> Iterator[Floats]:
    """Bootstrap counts (N,), the same sequence for the same pictures: so that models and tiers are compared in pairs.

    Sources are drawn with replacement within their class (so that no class is ever empty), then pictures within.
    """
    rng = np.random.default_rng(20_241_126)
    clusters = _clusters(scored)
    classes = [
        chosen
        for value in (True, False)
        if (chosen := [members for members in clusters if scored.is_ai[members[0]] == value])
    ]
    for _ in range(resamples):
        counts = np.zeros(len(scored.scores))
        for members_of in classes:
            for index, times in enumerate(np.bincount(rng.integers(0, len(members_of), len(members_of)))):
                members = members_of[index]
                picks = rng.integers(0, len(members), times * len(members))
                counts[members] += np.bincount(picks, minlength=len(members))
        yield counts


def _clusters(scored: Scored) -> list[NDArray[np.intp]]:
    """The pictures of each source in each class, as indices."""
    _, inverse = np.unique(
        np.char.add(np.where(scored.is_ai, "a:", "r:"), scored.sources), return_inverse=True
    )
    order = np.argsort(inverse, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(inverse[order])) + 1)


def _share(hit: Bools, weights: Floats) -> float:
    total = weights.sum()
    return float((weights * hit).sum() / total) if total > 0 else float("nan")
