"""The card of a distilled model, written from what its training measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..encoder.card import auroc_table, test_sets, title


def write_card(facts: Mapping[str, Any]) -> str:
    """model.json's facts -> CARD.md. No figure is typed by hand."""
    training = facts["training"]
    measured, images, start, recipe = (training[key] for key in ("measured", "images", "start", "recipe"))
    held = measured["held_out"]
    names = [name for name in measured if name != "held_out"]
    lines = [
        *title(facts),
        f"- File: {facts['bytes'] / 1e6:.1f} MB, {facts['parameters']:,} parameters, arithmetic in "
        f"{held['arithmetic']}.",
        f"- Start: ImageNet weights of {start['package']} ({start['licence']}).",
        f"- Teacher: {training['teacher']}: its out-of-fold logits and its features, beside the labels.",
        f"- Data: {images['train']:,} degraded copies of pictures of {images['sources']} sources; data id "
        f"{training['data_id']} (docs/DATA_CARD.md). No unlabelled pictures.",
        f"- Training: {_length(recipe)}, {recipe['pictures']} pictures a step; the stem and the first "
        f"{recipe['frozen']} blocks stay as they started.",
        f"- Calibration and thresholds: {facts['calibration']['fitted_on']} ({held['sources']} sources).",
        "",
        "## Held-out sources",
        "",
        "AUROC on sources that neither this model nor the teacher of its targets has seen, sources weighing alike, "
        "with weights in half precision and with 8-bit arithmetic:",
        "",
        *auroc_table([held["float32"], held["int8"]], ["float32", "int8"]),
        "",
        *test_sets(measured, names),
        "## Limits",
        "",
        "One run of one student: what the ImageNet start, the teacher's logits and its features are each worth was not "
        "measured apart. Generators newer than the training set, pictures of which only a part was edited, and "
        "pictures far smaller than a crop are judged less well. A probability is no proof.",
        "",
    ]
    return "\n".join(lines)


def _length(recipe: Mapping[str, Any]) -> str:
    return f"{recipe['minutes']:g} minutes on a CPU" if recipe["minutes"] else f"{recipe['steps']:,} steps"
