"""Platt scaling of held-out logits, and the thresholds of each mode."""

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
    """The highest error rates of a mode on the images that the calibration is fitted on, as shares of a class."""

    real_called_ai: float
    ai_called_real: float


# Calling a real image AI is the more harmful error.
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

    def facts(self) -> dict[str, Any]:
        """`calibration` of model.json."""
        return {"temperature": self.temperature, "bias": self.bias, "fitted_on": self.fitted_on}


def calibrate(logits: NDArray[np.float32], labels: NDArray[np.int64], *, fitted_on: str) -> Calibration:
    """Fit temperature, bias and thresholds to logits (N, 2) and labels (N,), 0 = ai, 1 = real.

    The classes have equal weight, because the share of AI images in a validation split is not that in use. `fitted_on`
    is the text that model.json stores. Raises DataError if a logit is not finite.
    """
    difference = (logits[:, 0] - logits[:, 1]).astype(np.float64)
    if not np.isfinite(difference).all():
        raise DataError("training diverged (NaN or infinite logits); retry with a lower --learning-rate")
    is_ai = labels == 0
    temperature, bias = fit_temperature(difference, is_ai)
    probability = probabilities(difference, temperature, bias)
    return Calibration(temperature, bias, modes_thresholds(probability, is_ai), fitted_on)


def calibrate_difference(
    difference: NDArray[np.float64], is_ai: NDArray[np.bool_], *, fitted_on: str
) -> Calibration:
    """`calibrate` of logit(ai) - logit(real) (N,) and is_ai (N,)."""
    logits = np.stack([difference / 2, -difference / 2], axis=1).astype(np.float32)
    return calibrate(logits, (~is_ai).astype(np.int64), fitted_on=fitted_on)


def fit_temperature(logits: NDArray[np.float64], is_ai: NDArray[np.bool_]) -> tuple[float, float]:
    """logit(ai) - logit(real) (N,), is_ai (N,) -> temperature > 0 and bias, by logistic regression with equal class
    weights.

    If the logits separate the classes no better than chance, the temperature is so high that every probability is 0.5:
    a model is never inverted.
    """
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=np.inf, class_weight="balanced").fit(logits[:, None], is_ai)
    slope, bias = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return (1 / slope, bias) if slope > _LEAST_SLOPE else (1 / _LEAST_SLOPE, 0.0)


def probabilities(logits: NDArray[np.float64], temperature: float, bias: float) -> NDArray[np.float64]:
    """logit(ai) - logit(real) (N,) -> probability_ai (N,), computed as in detection."""
    return np.array([probability_ai(float(logit), temperature, bias) for logit in logits])


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
