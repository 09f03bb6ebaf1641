"""The same answers looked at by generator, by real origin, by source, by category, by size; and across tiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import Thresholds
from .metrics import BEST_GUESS, Bools, Floats, Measured, Scored, answers, with_intervals
from .pictures import Picture

DEFAULT_MODE = "balanced"
_SIZE_BANDS = (
    (200, "under 200 px"),
    (512, "200 to 511 px"),
    (1024, "512 to 1023 px"),
    (2048, "1024 to 2047 px"),
)
_LARGEST_BAND = "2048 px and more"
_MAX_RESAMPLES = 200  # a group's interval is read to two digits at most


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One line of a table. Shares are of the class named; None where the group has none of that class."""

    name: str
    n_ai: int
    n_real: int
    sources: int
    accuracy: float  # best guess
    intervals: dict[str, tuple[float, float]]  # of the accuracy
    tpr: float | None  # AI pictures called AI in the default mode
    fpr: float | None  # real pictures called AI in the default mode
    unsure: float  # in the default mode
    auroc: float | None  # within the group; of one class: against all of the other

    def as_record(self) -> dict[str, object]:
        return asdict(self)


def keys_of(pictures: Sequence[Picture], sizes: Floats) -> dict[str, NDArray[np.str_]]:
    """By which each table groups: an array (N,) of names; "" leaves a picture out of that table."""
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
    """One row a name, in the order of the names."""
    return [
        _row(str(name), scored, names == name, thresholds, min(resamples, _MAX_RESAMPLES))
        for name in np.unique(names)
        if name
    ]


def _row(
    name: str, scored: Scored, mask: Bools, thresholds: Mapping[str, Thresholds], resamples: int
) -> GroupRow:
    members = scored.where(mask)
    cut = thresholds.get(DEFAULT_MODE, thresholds[BEST_GUESS])
    says_ai, says_real = answers(members.scores, cut, members.too_small)
    right = (members.scores >= thresholds[BEST_GUESS].ai) == members.is_ai

    def accuracy(counts: Floats) -> dict[str, float]:
        return {"accuracy": float((counts * right).sum() / counts.sum())}

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

    present = scored.is_ai[mask]
    if present.all():
        mask = mask | ~scored.is_ai
    elif not present.any():
        mask = mask | scored.is_ai
    chosen = scored.where(mask)
    if chosen.is_ai.all() or not chosen.is_ai.any():
        return None
    return float(roc_auc_score(chosen.is_ai, chosen.scores))


def consistency(
    by_tier: Sequence[Scored], tiers: Sequence[str], thresholds: Mapping[str, Thresholds], resamples: int
) -> dict[str, object]:
    """How often the verdict on a picture changes between tiers.

    flips: pictures whose best-guess label is not the same on all tiers; contradictions: pictures that the default
    mode calls "ai" on one tier and "real" on another; flips_from_first: by tier, against the first.
    """
    guess = np.array([scored.scores >= thresholds[BEST_GUESS].ai for scored in by_tier])  # (tiers, N)
    cut = thresholds.get(DEFAULT_MODE, thresholds[BEST_GUESS])
    labels = np.array([answers(scored.scores, cut, scored.too_small) for scored in by_tier])  # (tiers, 2, N)
    ever_ai, ever_real = np.any(labels, axis=0)
    flips = guess.any(axis=0) & ~guess.all(axis=0)
    contradictions = ever_ai & ever_real
    from_first = {tier: guess[i] != guess[0] for i, tier in enumerate(tiers) if i}

    def statistic(counts: Floats) -> dict[str, float]:
        total = counts.sum()
        shares = {"flips": flips, "contradictions": contradictions, **from_first}
        return {name: float((counts * hit).sum() / total) for name, hit in shares.items()}

    figures: Measured = with_intervals(statistic, by_tier[0], resamples)
    return {
        "tiers": list(tiers),
        "flips": figures.values["flips"],
        "contradictions": figures.values["contradictions"],
        "flips_from_first": {tier: figures.values[tier] for tier in from_first},
        "intervals": figures.intervals,
    }
