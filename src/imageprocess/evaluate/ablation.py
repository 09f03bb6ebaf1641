"""What the initial weights and the teacher of a distilled model contribute, as measured by training without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABLATION_TITLE = "## Ablation"
_DEGRADATIONS = {"degraded_0": "light degradation", "degraded_1": "strong degradation"}


def ablation_section(training: Mapping[str, Any]) -> str:
    """`training` of model.json -> the section of CARD.md; "" without an ablation."""
    ablation = training.get("ablation")
    return f"{ABLATION_TITLE}\n\n{ablation_table(ablation)}" if ablation else ""


def ablation_table(ablation: Mapping[str, Any]) -> str:
    """`training.ablation` of model.json -> a sentence and a table in Markdown."""
    variants = ablation["variants"]
    degradations = list(variants[0]["auroc"])
    lines = [
        f"AUROC on sources held out of training, after {ablation['steps']:,} steps of {ablation['pictures']} images "
        f"each at a peak learning rate of {ablation['learning_rate']:g} (the shipped model was trained for longer, at "
        "a higher one):",
        "",
        f"| trained | {' | '.join(_DEGRADATIONS.get(name, name) for name in degradations)} |",
        "|---" * (len(degradations) + 1) + "|",
    ]
    for variant in variants:
        values = " | ".join(f"{variant['auroc'][name]:.3f}" for name in degradations)
        lines.append(f"| {variant['name']} | {values} |")
    return "\n".join(lines)
