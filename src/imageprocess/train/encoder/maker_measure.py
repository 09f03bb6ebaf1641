"""What a maker head's logits come to: how often the family is right, how often it is named, which are taken for which.

Sources weigh alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.maker import softmax

Logits = NDArray[np.float32]
Weights = NDArray[np.float64]
_TEMPERATURES = np.geomspace(0.3, 4, 40)
_CUTS = np.arange(0.3, 0.99, 0.01)
NEVER = 1.01  # a threshold that no probability reaches


def source_weights(source: NDArray[np.str_], power: float = 1.0) -> Weights:
    _, index, counts = np.unique(source, return_inverse=True, return_counts=True)
    return np.asarray(counts[index].astype(np.float64) ** -power)


def temperature_of(logits: Logits, family: NDArray[np.int64], weights: Weights) -> float:
    """That under which the right families are likeliest."""
    places = np.arange(len(family))
    losses = [
        np.average(-np.log(softmax(logits / temperature)[places, family] + 1e-12), weights=weights)
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
    """The lowest probability from which on a named family is right often enough; "other", the last, is not named."""
    probability = softmax(scaled)
    best, most = probability.argmax(1), probability.max(1)
    for cut in _CUTS:
        named = (best != len(families) - 1) & (most >= cut)
        if not named.any():
            break
        if np.average((best == family)[named], weights=weights[named]) >= precision:
            return round(float(cut), 2)
    return NEVER


def measure_maker(
    logits: Logits,
    temperature: float,
    threshold: float,
    family: NDArray[np.int64],
    source: NDArray[np.str_],
    families: Sequence[str],
) -> dict[str, Any]:
    """`confusion`: for each family that is there, the share of its pictures taken for each family, and of those that
    are not named."""
    weights, probability = source_weights(source), softmax(logits / temperature)
    order = np.argsort(-probability, axis=1)
    right, among = order[:, 0] == family, (order[:, :3] == family[:, None]).any(axis=1)
    named = (order[:, 0] != len(families) - 1) & (probability.max(axis=1) >= threshold)
    return {
        "sources": len(np.unique(source)),
        "pictures": len(source),
        "top1": _share(right, weights),
        "top3": _share(among, weights),
        "top1_families_alike": round(
            float(np.mean([_share(right[f], weights[f]) for f in _each(family)])), 4
        ),
        "named": _share(named, weights),
        "named_right": _share(right[named], weights[named]) if named.any() else None,
        "confusion": {
            families[number]: _row(order[mask, 0], named[mask], weights[mask], len(families))
            for number, mask in ((int(family[mask][0]), mask) for mask in _each(family))
        },
    }


def _each(family: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    return [family == number for number in np.unique(family)]


def _share(hits: NDArray[np.bool_], weights: Weights) -> float:
    return round(float(np.average(hits, weights=weights)), 4)


def _row(
    best: NDArray[np.int64], named: NDArray[np.bool_], weights: Weights, families: int
) -> dict[str, Any]:
    totals = np.bincount(best, weights, minlength=families) / weights.sum()
    return {"taken_for": [round(float(share), 3) for share in totals], "not_named": _share(~named, weights)}
