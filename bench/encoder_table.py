"""The table of models in docs/benchmarks.md and the README's figures, from `imageprocess evaluate --json OUT.json`.

python -m bench.encoder_table OUT.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.markers import write_between

ROOT = Path(__file__).parents[1]
PAGE, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
COLUMNS = {
    "AUROC": ("auroc", "{:.3f}"),
    "TPR at 1 % FPR": ("tpr_at_1_fpr", "{:.0%}"),
    "balanced accuracy (best-guess)": ("balanced_accuracy", "{:.1%}"),
    "coverage (balanced)": ("coverage@balanced", "{:.0%}"),
    "FPR (balanced)": ("fpr@balanced", "{:.1%}"),
    "ECE": ("ece", "{:.3f}"),
}
HEADLINE_TIER = "web"
HEADLINE = {
    "AUROC": "the probability that an AI picture scores higher than a real one",
    "TPR at 1 % FPR": "AI pictures detected at the threshold that flags 1 % of the real ones",
    "coverage (balanced)": "pictures answered `ai` or `real` rather than `unsure`, in the default mode",
    "FPR (balanced)": "real pictures called `ai`, in the default mode",
}


def main(report: Path, page: Path = PAGE, readme: Path = README) -> None:
    (split,) = json.loads(report.read_text("utf-8"))["splits"]
    write_between(page, "reached", table(split))
    write_between(readme, "headline", headline(split))


def table(split: dict[str, Any]) -> str:
    lines = [
        f"{_data(split['data'])}.",
        "",
        f"| model | pictures | {' | '.join(COLUMNS)} |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for model in split["models"]:
        for tier, figures in model["tiers"].items():
            cells = " | ".join(_cell(figures, column) for column in COLUMNS)
            lines.append(f"| {_name(model)} | {tier} | {cells} |")
    return "\n".join([*lines, "", *(_flips(model) for model in split["models"])])


def headline(split: dict[str, Any]) -> str:
    """Four figures of each model on the web tier."""
    models = split["models"]
    lines = [
        "On sources, generators and cameras that were never trained on, as copies that a web site makes "
        f"({_data(split['data'])}):",
        "",
        f"| | | {' | '.join(_name(model) for model in models)} |",
        "|---|---" + "|---" * len(models) + "|",
    ]
    for column, meaning in HEADLINE.items():
        cells = " | ".join(_cell(model["tiers"][HEADLINE_TIER], column) for model in models)
        lines.append(f"| {column} | {meaning} | {cells} |")
    return "\n".join(lines)


def _data(data: dict[str, Any]) -> str:
    return (
        f"`{data['split']}` of data set {data['id']}: {data['n_ai']} AI pictures of {data['sources_ai']} sources, "
        f"{data['n_real']} real ones of {data['sources_real']}"
    )


def _name(model: dict[str, Any]) -> str:
    return f"{model['name']} {model['version']}"


def _cell(figures: dict[str, Any], column: str) -> str:
    key, pattern = COLUMNS[column]
    return pattern.format(figures["by_picture"][key])


def _flips(model: dict[str, Any]) -> str:
    flips = model["consistency"]
    from_first = ", ".join(f"{tier} {share:.1%}" for tier, share in flips["flips_from_first"].items())
    return (
        f"- {_name(model)}: the balanced label differs between two of the {len(flips['tiers'])} tiers for "
        f"{flips['flips']:.1%} of the pictures; from {flips['tiers'][0]}: {from_first}."
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
