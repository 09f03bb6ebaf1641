"""Estimates the family of generators of an image whose verdict leans to AI. Never changes the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..types import Evidence, Verdict
from .spec import ModelSpec

if TYPE_CHECKING:
    from .session import Output

# model.json uses these identifiers; the manifest of the training data has the same list (data/categories.py).
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
    """Softmax over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float64)


def maker_detail(
    evidence: Sequence[Evidence], verdict: Verdict, output: Output, spec: ModelSpec
) -> dict[str, Any] | None:
    """`detail.maker` of the model's evidence; None if the verdict does not lean to AI, if metadata or a watermark name
    the generator, or if the model has no such head.

    `family` and `name` are null if no family reaches the threshold in model.json, or if "other" is the likeliest.
    """
    facts = spec.facts.get("maker")
    if not facts or not output.maker_logits or not (verdict.grade or "").endswith("_ai"):
        return None
    if any(item.points_to == "ai" and item.detail.get("generator") for item in evidence):
        return None
    families = [str(family) for family in facts["families"]]
    probabilities = softmax(np.array(output.maker_logits, np.float64) / float(facts["temperature"]))
    order = np.argsort(-probabilities, kind="stable")[:_TOP]
    top: list[dict[str, Any]] = [
        {
            "family": families[index],
            "name": NAMES.get(families[index], families[index]),
            "probability": round(float(probabilities[index]), 4),
        }
        for index in order
    ]
    is_named = top[0]["family"] != "other" and top[0]["probability"] >= float(facts["threshold"])
    return {
        "family": top[0]["family"] if is_named else None,
        "name": top[0]["name"] if is_named else None,
        "probability": top[0]["probability"],
        "top3": top,
    }
