"""Measures of a maker head: accuracy, coverage and precision of named families, confusion matrix.

Every source has the same weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.sampling import Weights, source_weights
from ...model.maker import softmax

Logits = NDArray[np.float32]
_TEMPERATURES = np.geomspace(0.3, 4, 40)
_THRESHOLDS = np.arange(0.3, 0.99, 0.01)
NEVER = 1.01  # a threshold that no probability reaches


def temperature_of(logits: Logits, family: NDArray[np.int64], weights: Weights) -> float:
    """The temperature of the smallest cross-entropy. logits (N, families); family, weights (N,)."""
    rows = np.arange(len(family))
    losses = [
        np.average(-np.log(softmax(logits / temperature)[rows, family] + 1e-12), weights=weights)
        for temperature in _TEMPERATURES
    ]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)


def named_from(
    scaled: NDArray[Any],
    family: NDArray[np.int64],
    weights: Weights,
    families: Sequence[str],
    precision: float,
) -> float:
    """The lowest threshold on the probability with which named families have at least `precision`; NEVER if none has.

    scaled (N, families): logits divided by the temperature. The last family, "other", is never named.
    """
    probability = softmax(scaled)
    best, confidence = probability.argmax(1), probability.max(1)
    for threshold in _THRESHOLDS:
        named = (best != len(families) - 1) & (confidence >= threshold)
        if not named.any():
            break
        if np.average((best == family)[named], weights=weights[named]) >= precision:
            return round(float(threshold), 2)
    return NEVER


def measure_maker(
    logits: Logits,
    temperature: float,
    threshold: float,
    family: NDArray[np.int64],
    source: NDArray[np.str_],
    families: Sequence[str],
) -> dict[str, Any]:
    """`maker.measured` of model.json. `confusion`: for each family in `family`, the shares of its images that are
    classified as each family, and the share that is not named."""
    weights, probability = source_weights(source), softmax(logits / temperature)
    order = np.argsort(-probability, axis=1)
    correct, in_top3 = order[:, 0] == family, (order[:, :3] == family[:, None]).any(axis=1)
    named = (order[:, 0] != len(families) - 1) & (probability.max(axis=1) >= threshold)
    return {
        "sources": len(np.unique(source)),
        "pictures": len(source),
        "top1": _share(correct, weights),
        "top3": _share(in_top3, weights),
        "top1_families_alike": round(
            float(np.mean([_share(correct[mask], weights[mask]) for mask in _masks(family)])), 4
        ),
        "named": _share(named, weights),
        "named_right": _share(correct[named], weights[named]) if named.any() else None,
        "confusion": {
            families[number]: _confusion_row(order[mask, 0], named[mask], weights[mask], len(families))
            for number, mask in ((int(family[mask][0]), mask) for mask in _masks(family))
        },
    }


def _masks(family: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    return [family == number for number in np.unique(family)]


def _share(hits: NDArray[np.bool_], weights: Weights) -> float:
    return round(float(np.average(hits, weights=weights)), 4)


def _confusion_row(
    best: NDArray[np.int64], named: NDArray[np.bool_], weights: Weights, families: int
) -> dict[str, Any]:
    totals = np.bincount(best, weights, minlength=families) / weights.sum()
    return {"taken_for": [round(float(share), 3) for share in totals], "not_named": _share(~named, weights)}
