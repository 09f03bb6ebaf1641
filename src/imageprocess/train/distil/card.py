"""The model card of a distilled model, written from its model.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..encoder.card import auroc_table, test_sets, title


def write_card(facts: Mapping[str, Any]) -> str:
    """The facts of model.json -> the text of CARD.md."""
    training = facts["training"]
    measured, images, start, recipe = (training[key] for key in ("measured", "images", "start", "recipe"))
    held_out = measured["held_out"]
    names = [name for name in measured if name != "held_out"]
    lines = [
        *title(facts),
        f"- File: {facts['bytes'] / 1e6:.1f} MB, {facts['parameters']:,} parameters, arithmetic in "
        f"{held_out['arithmetic']}.",
        f"- Initial weights: ImageNet, of {start['package']} ({start['licence']}).",
        f"- Teacher: {training['teacher']}: its out-of-fold logits and its features are targets besides the labels.",
        f"- Data: {images['train']:,} degraded copies of pictures of {images['sources']} sources; data id "
        f"{training['data_id']} (docs/DATA_CARD.md). {_unlabelled(training)}",
        f"- Training: {_length(recipe)}, {recipe['pictures']} pictures a step; the stem and the first "
        f"{recipe['frozen']} blocks keep their initial weights.",
        f"- Calibration and thresholds: {facts['calibration']['fitted_on']} ({held_out['sources']} sources).",
        "",
        "## Held-out sources",
        "",
        "AUROC on sources that neither this model nor the teacher of its targets was trained on, every source with the "
        "same weight, with half-precision weights and with 8-bit arithmetic:",
        "",
        *auroc_table([held_out["float32"], held_out["int8"]], ["float32", "int8"]),
        "",
        *test_sets(measured, names),
        "## Limits",
        "",
        "The figures are of one training run. Accuracy is lower on generators newer than the training set, on partly "
        "edited pictures, and on pictures far smaller than a crop. A probability is no proof.",
        "",
    ]
    return "\n".join(lines)


def _length(recipe: Mapping[str, Any]) -> str:
    return f"{recipe['minutes']:g} minutes on a CPU" if recipe["minutes"] else f"{recipe['steps']:,} steps"


def _unlabelled(training: Mapping[str, Any]) -> str:
    if not (unlabelled := training.get("unlabelled")):
        return "No unlabelled pictures."
    return (
        f"In addition {unlabelled['copies']:,} copies of {unlabelled['pictures']:,} unlabelled pictures, "
        f"{unlabelled['per_step']} of the {training['recipe']['pictures']} of a step: their only targets are the mean "
        "logits and the features of the teacher, and those of which the teacher is uncertain are drawn more often."
    )
