"""Platt scaling of held-out logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..model.evidence import probability_ai
from ..types import Mode
from .thresholds import modes_thresholds

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
