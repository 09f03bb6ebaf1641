"""The table of models in README.md and docs/encoder.md, from what `imageprocess evaluate --json OUT.json` wrote.

python -m bench.encoder_table OUT.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.markers import write_between

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "encoder.md")
COLUMNS = {
    "AUROC": ("auroc", "{:.3f}"),
    "TPR at 1 % FPR": ("tpr_at_1_fpr", "{:.0%}"),
    "balanced accuracy (best-guess)": ("balanced_accuracy", "{:.1%}"),
    "answered (balanced)": ("coverage@balanced", "{:.0%}"),
    "real called AI (balanced)": ("fpr@balanced", "{:.1%}"),
    "ECE": ("ece", "{:.3f}"),
}


def main(path: Path) -> None:
    (split,) = json.loads(path.read_text("utf-8"))["splits"]
    data = split["data"]
    lines = [
        f"`{data['split']}` of data set {data['id']}: {data['n_ai']} AI pictures of {data['sources_ai']} sources, "
        f"{data['n_real']} real ones of {data['sources_real']}.",
        "",
        f"| model | pictures | {' | '.join(COLUMNS)} |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for model in split["models"]:
        name = f"{model['name']} {model['version']}"
        for tier, found in model["tiers"].items():
            lines.append(f"| {name} | {tier} | {_cells(found['by_picture'])} |")
    lines += ["", *(_changes(model) for model in split["models"])]
    for page in PAGES:
        write_between(page, "reached", "\n".join(lines))


def _cells(found: dict[str, Any]) -> str:
    return " | ".join(shape.format(found[key]) for key, shape in COLUMNS.values())


def _changes(model: dict[str, Any]) -> str:
    found = model["consistency"]
    against = ", ".join(f"{tier} {share:.1%}" for tier, share in found["flips_from_first"].items())
    return (
        f"- {model['name']} {model['version']}: the balanced label differs between two of the {len(found['tiers'])} "
        f"kinds of copies for {found['flips']:.1%} of the pictures; from {found['tiers'][0]}: {against}."
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
