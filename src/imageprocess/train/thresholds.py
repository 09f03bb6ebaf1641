"""The thresholds of each mode, from its error budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import Mode


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """The highest error rates of a mode on the images that the calibration is fitted on, as shares of a class."""

    real_called_ai: float
    ai_called_real: float


# Calling a real image AI is the more harmful error.
ERROR_BUDGETS: dict[Mode, ErrorBudget] = {
    "high-confidence": ErrorBudget(0.005, 0.005),
    "balanced": ErrorBudget(0.02, 0.03),
}


def modes_thresholds(
    probability: NDArray[np.float64], is_ai: NDArray[np.bool_]
) -> dict[Mode, dict[str, float]]:
    """probability_ai (N,), is_ai (N,) -> the thresholds of each mode, from ERROR_BUDGETS."""
    thresholds: dict[Mode, dict[str, float]] = {
        mode: _thresholds(probability[is_ai], probability[~is_ai], budget)
        for mode, budget in ERROR_BUDGETS.items()
    }
    thresholds["best-guess"] = {"ai": 0.5, "real": 0.5}
    return thresholds


def _thresholds(ai: NDArray[Any], real: NDArray[Any], budget: ErrorBudget) -> dict[str, float]:
    """The lowest "ai" threshold and the highest "real" threshold within the budget, at least and at most 0.5."""
    return {
        "ai": max(0.5, _lowest_threshold(real, budget.real_called_ai)),
        "real": min(0.5, round(1 - _lowest_threshold(1 - ai, budget.ai_called_real), 4)),
    }


def _lowest_threshold(scores: NDArray[Any], budget: float) -> float:
    """The lowest threshold, in steps of 0.0001, that at most `budget` of the scores reach."""
    first_within_budget = float(np.sort(scores)[::-1][int(budget * len(scores))])
    return min(1.0, round(math.floor(first_within_budget * 1e4 + 1) / 1e4, 4))
