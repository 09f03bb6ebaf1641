"""Estimates the family of generators, in addition to a verdict that leans to AI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..types import Evidence, Verdict
from .spec import ModelSpec

if TYPE_CHECKING:
    from .session import Output

# model.json keeps these identifiers; the manifest of the training data has the same list (data/categories.py).
NAMES = {
    "gpt_image": "GPT image",
    "gemini_imagen": "Gemini image / Imagen",
    "midjourney": "Midjourney",
    "flux": "FLUX",
    "sd_1_2": "Stable Diffusion 1 / 2",
    "sdxl": "Stable Diffusion XL",
    "sd_3": "Stable Diffusion 3",
    "dalle": "DALL-E 2 / 3",
    "firefly": "Firefly",
    "seedream": "Seedream",
    "qwen": "Qwen-Image",
    "gan_face": "GAN (faces)",
    "gan_other": "GAN",
    "other": "other",
}
_TOP = 3


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float64)


def maker_detail(
    evidence: Sequence[Evidence], verdict: Verdict, output: Output, spec: ModelSpec
) -> dict[str, Any] | None:
    """`detail.maker` of the model's evidence; None where the verdict does not lean to AI, where a record or a mark
    names the maker, and where the model has no such head.

    `family` and `name` are null where no family is likely enough (the threshold in model.json) or "other" is likeliest.
    """
    facts = spec.facts.get("maker")
    if not facts or not output.maker_logits or not (verdict.grade or "").endswith("_ai"):
        return None
    if any(item.points_to == "ai" and item.detail.get("generator") for item in evidence):
        return None
    families = [str(family) for family in facts["families"]]
    chances = softmax(np.array(output.maker_logits, np.float64) / float(facts["temperature"]))
    order = np.argsort(-chances, kind="stable")[:_TOP]
    top: list[dict[str, Any]] = [
        {
            "family": families[at],
            "name": NAMES.get(families[at], families[at]),
            "probability": round(float(chances[at]), 4),
        }
        for at in order
    ]
    is_named = top[0]["family"] != "other" and top[0]["probability"] >= float(facts["threshold"])
    return {
        "family": top[0]["family"] if is_named else None,
        "name": top[0]["name"] if is_named else None,
        "probability": top[0]["probability"],
        "top3": top,
    }
