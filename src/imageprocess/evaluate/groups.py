"""Metrics by generator, real origin, source, category and image size; and the consistency across tiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import Thresholds
from .metrics import BEST_GUESS, Bools, Floats, Measured, Scored, decisions, with_intervals
from .pictures import Picture

DEFAULT_MODE = "balanced"
_SIZE_BANDS = (
    (200, "under 200 px"),
    (512, "200 to 511 px"),
    (1024, "512 to 1023 px"),
    (2048, "1024 to 2047 px"),
)
_LARGEST_BAND = "2048 px and more"
_MAX_RESAMPLES = 200  # sufficient for the two digits of a group's interval


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One row of a table. tpr, fpr and unsure are in the default mode; None if the group lacks the class."""

    name: str
    n_ai: int
    n_real: int
    sources: int
    accuracy: float  # best guess
    intervals: dict[str, tuple[float, float]]  # of the accuracy
    tpr: float | None
    fpr: float | None
    unsure: float  # 1 - coverage
    auroc: float | None  # within the group; for a group of one class: against all images of the other

    def as_record(self) -> dict[str, object]:
        return asdict(self)


def keys_of(pictures: Sequence[Picture], sizes: Floats) -> dict[str, NDArray[np.str_]]:
    """Table -> name of the group of each image (N,); "" excludes an image from the table. `sizes` (N, 2) in pixels."""
    return {
        "generator": np.array([(p.generator or p.origin) if p.is_ai else "" for p in pictures]),
        "real_origin": np.array(["" if p.is_ai else p.origin for p in pictures]),
        "source": np.array([p.source for p in pictures]),
        "category": np.array([p.category for p in pictures]),
        "size": np.array([size_band(float(longest)) for longest in sizes.max(axis=1)]),
    }


def size_band(long_side: float) -> str:
    return next((name for limit, name in _SIZE_BANDS if long_side < limit), _LARGEST_BAND)


def group_rows(
    scored: Scored, names: NDArray[np.str_], thresholds: Mapping[str, Thresholds], resamples: int
) -> list[GroupRow]:
    """One row per name in `names` (N,), sorted by name."""
    return [
        _row(str(name), scored, names == name, thresholds, min(resamples, _MAX_RESAMPLES))
        for name in np.unique(names)
        if name
    ]


def _row(
    name: str, scored: Scored, mask: Bools, thresholds: Mapping[str, Thresholds], resamples: int
) -> GroupRow:
    members = scored.where(mask)
    limits = thresholds.get(DEFAULT_MODE, thresholds[BEST_GUESS])
    says_ai, says_real = decisions(members.scores, limits, members.too_small)
    is_correct = (members.scores >= thresholds[BEST_GUESS].ai) == members.is_ai

    def accuracy(counts: Floats) -> dict[str, float]:
        return {"accuracy": float((counts * is_correct).sum() / counts.sum())}

    figures = with_intervals(accuracy, members, resamples)
    return GroupRow(
        name=name,
        n_ai=int(members.is_ai.sum()),
        n_real=int((~members.is_ai).sum()),
        sources=len(np.unique(members.sources)),
        accuracy=figures.values["accuracy"],
        intervals=figures.intervals,
        tpr=float(says_ai[members.is_ai].mean()) if members.is_ai.any() else None,
        fpr=float(says_ai[~members.is_ai].mean()) if not members.is_ai.all() else None,
        unsure=float((~says_ai & ~says_real).mean()),
        auroc=_auroc(scored, mask),
    )


def _auroc(scored: Scored, mask: Bools) -> float | None:
    from sklearn.metrics import roc_auc_score

    is_ai = scored.is_ai[mask]
    if is_ai.all():
        mask = mask | ~scored.is_ai
    elif not is_ai.any():
        mask = mask | scored.is_ai
    members = scored.where(mask)
    if members.is_ai.all() or not members.is_ai.any():
        return None
    return float(roc_auc_score(members.is_ai, members.scores))


def consistency(
    by_tier: Sequence[Scored], tiers: Sequence[str], thresholds: Mapping[str, Thresholds], resamples: int
) -> dict[str, object]:
    """How often the decision on an image changes between tiers, as shares of the images.

    flips: the best-guess label is not the same on all tiers; contradictions: "ai" on one tier and "real" on another in
    the default mode; flips_from_first: per tier, the best-guess label differs from that on the first tier.
    """
    guess = np.array([scored.scores >= thresholds[BEST_GUESS].ai for scored in by_tier])  # (tiers, N)
    limits = thresholds.get(DEFAULT_MODE, thresholds[BEST_GUESS])
    labels = np.array(
        [decisions(scored.scores, limits, scored.too_small) for scored in by_tier]
    )  # (tiers, 2, N)
    ever_ai, ever_real = np.any(labels, axis=0)
    flips = guess.any(axis=0) & ~guess.all(axis=0)
    contradictions = ever_ai & ever_real
    from_first = {tier: guess[i] != guess[0] for i, tier in enumerate(tiers) if i}

    def statistic(counts: Floats) -> dict[str, float]:
        total = counts.sum()
        shares = {"flips": flips, "contradictions": contradictions, **from_first}
        return {name: float((counts * mask).sum() / total) for name, mask in shares.items()}

    figures: Measured = with_intervals(statistic, by_tier[0], resamples)
    return {
        "tiers": list(tiers),
        "flips": figures.values["flips"],
        "contradictions": figures.values["contradictions"],
        "flips_from_first": {tier: figures.values[tier] for tier in from_first},
        "intervals": figures.intervals,
    }
