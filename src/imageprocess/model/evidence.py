"""Turns logits into a calibrated probability and the model's evidence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..types import Evidence, ImageFacts, PointsTo, Thresholds
from .spec import ModelSpec

if TYPE_CHECKING:
    from .session import Output


def probability_ai(logit: float, temperature: float, bias: float) -> float:
    """sigmoid(logit / temperature + bias), 0 to 1, where logit is logit(ai) - logit(real)."""
    scaled = logit / temperature + bias
    if scaled >= 0:  # two cases, so that exp never overflows
        return 1 / (1 + math.exp(-scaled))
    odds = math.exp(scaled)
    return odds / (1 + odds)


def percent(p: float) -> str:
    """0.42 -> "42 %", 0.9996 -> "over 99 %": 100 % or 0 % would claim more certainty than a model has."""
    if 0.99 < p < 1:
        return "over 99 %"
    if 0 < p < 0.01:
        return "under 1 %"
    return f"{100 * p:.0f} %"


def model_evidence(
    output: Output, spec: ModelSpec, thresholds: Thresholds, image: ImageFacts, *, blank: bool = False
) -> Evidence:
    """The model's evidence on one image. `detail.too_small` if the model was not trained on images this small,
    `detail.blank` if the image is nearly uniform."""
    logit = output.logits[0] - output.logits[1]
    probability = probability_ai(logit, spec.temperature, spec.bias)
    points_to: PointsTo = "nothing"
    if probability >= thresholds.ai:
        points_to = "ai"
    elif probability <= thresholds.real:
        points_to = "real"
    side = max(image.width, image.height)
    too_small = {"side": side, "smallest": spec.smallest_px} if side < spec.smallest_px else None
    return Evidence(
        kind="model",
        claim=f"According to the model {spec.name}, the chance that the picture is AI-made is {percent(probability)}.",
        trust="measured",
        points_to=points_to,
        detail={
            "probability_ai": probability,
            "logit": logit,
            "logits": list(output.logits),
            "thresholds": {"ai": thresholds.ai, "real": thresholds.real},
            "mode_thresholds": {
                mode: {"ai": limits.ai, "real": limits.real} for mode, limits in spec.thresholds.items()
            },
            **({"too_small": too_small} if too_small else {}),
            **({"blank": True} if blank else {}),
        },
    )
