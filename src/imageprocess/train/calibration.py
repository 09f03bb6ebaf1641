"""From logits on held-out images to calibrated probabilities, and to thresholds for each mode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..model.calibrate import probability_ai
from ..types import Mode


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """The highest error rates of a mode on the pictures that the calibration is fitted on, as shares of a class."""

    real_called_ai: float
    ai_called_real: float


# A false accusation costs more than a missed fake.
ERROR_BUDGETS: dict[Mode, ErrorBudget] = {
    "high-confidence": ErrorBudget(0.005, 0.005),
    "balanced": ErrorBudget(0.02, 0.03),
}
_LEAST_SLOPE = 1e-3


@dataclass(frozen=True, slots=True)
class Calibration:
    """probability_ai = sigmoid((logit_ai - logit_real) / temperature + bias) (Platt 1999, two parameters)."""

    temperature: float
    bias: float
    thresholds: dict[Mode, dict[str, float]]
    fitted_on: str


def calibrate(logits: NDArray[np.float32], labels: NDArray[np.int64], *, fitted_on: str) -> Calibration:
    """logits (N, 2), labels (N,) with 0 = ai -> the calibration that fits them best, and the modes' thresholds.

    The classes are weighted alike: how many AI pictures a person meets is not what a validation split holds. Raises
    DataError where a logit is not finite.
    """
    difference = (logits[:, 0] - logits[:, 1]).astype(np.float64)
    if not np.isfinite(difference).all():
        raise DataError(
            "training diverged (NaN or infinite logits); train again with a lower --learning-rate"
        )
    is_ai = labels == 0
    temperature, bias = fit_temperature(difference, is_ai)
    probability = probabilities(difference, temperature, bias)
    return Calibration(temperature, bias, modes_thresholds(probability, is_ai), fitted_on)


def fit_temperature(logits: NDArray[np.float64], is_ai: NDArray[np.bool_]) -> tuple[float, float]:
    """logit(ai) - logit(real) (N,) -> the temperature, above zero, and the bias that fit best, both classes weighing
    alike.

    Where the logits separate the classes by chance or worse, the temperature is so high that every probability is a
    half: a model is never inverted.
    """
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=np.inf, class_weight="balanced").fit(logits[:, None], is_ai)
    slope, bias = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return (1 / slope, bias) if slope > _LEAST_SLOPE else (1 / _LEAST_SLOPE, 0.0)


def probabilities(logits: NDArray[np.float64], temperature: float, bias: float) -> NDArray[np.float64]:
    """logit(ai) - logit(real) (N,) -> probability_ai (N,), as detection computes it."""
    return np.array([probability_ai(float(logit), temperature, bias) for logit in logits])


def modes_thresholds(
    probability: NDArray[np.float64], is_ai: NDArray[np.bool_]
) -> dict[Mode, dict[str, float]]:
    """probability_ai (N,), is_ai (N,) -> each mode's thresholds, by its error budget."""
    thresholds: dict[Mode, dict[str, float]] = {
        mode: _thresholds(probability[is_ai], probability[~is_ai], budget)
        for mode, budget in ERROR_BUDGETS.items()
    }
    thresholds["best-guess"] = {"ai": 0.5, "real": 0.5}
    return thresholds


def _thresholds(ai: NDArray[Any], real: NDArray[Any], budget: ErrorBudget) -> dict[str, float]:
    """The lowest "ai" threshold and the highest "real" one that keep to the budget; never beyond 0.5."""
    return {
        "ai": max(0.5, _above_all_but(real, budget.real_called_ai)),
        "real": min(0.5, round(1 - _above_all_but(1 - ai, budget.ai_called_real), 4)),
    }


def _above_all_but(scores: NDArray[Any], budget: float) -> float:
    """The lowest of four digits that at most this share of the scores reach."""
    reached = float(np.sort(scores)[::-1][int(budget * len(scores))])  # by one too many
    return min(1.0, round(math.floor(reached * 1e4 + 1) / 1e4, 4))
