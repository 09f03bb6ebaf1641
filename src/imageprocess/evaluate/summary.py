"""Formats a study as plain text tables, for a terminal or a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .metrics import BEST_GUESS

Record = Mapping[str, Any]
_HEAD = (
    "tier",
    "accuracy",
    "balanced",
    "by source",
    "AUROC [95 %]",
    "AP",
    "TPR@1%FPR",
    "FPR",
    "coverage",
    "ECE",
)


def summarise(record: Record) -> str:
    data = record["data"]
    where = f"{data['name']} {data['split']}".strip()
    lines = [
        f"{where} (data {data['id']}): {data['n_ai']:,} ai from {data['sources_ai']} sources, "
        f"{data['n_real']:,} real from {data['sources_real']}"
    ]
    if data["not_scored"]:
        lines.append(
            f"{len(data['not_scored'])} pictures could not be scored: {data['not_scored'][0]['why']}, ..."
        )
    for model in record["models"]:
        lines += ["", f"{model['name']} {model['version']}".strip()]
        lines += _columns([_HEAD, *(_row(tier, consistency) for tier, consistency in model["tiers"].items())])
        if len(model["tiers"]) > 1:
            consistency = model["consistency"]
            against = ", ".join(
                f"{tier} {share:.1%}" for tier, share in consistency["flips_from_first"].items()
            )
            lines.append(
                f"label changes in at least one of {len(consistency['tiers'])} tiers: {consistency['flips']:.1%}; "
                f"against {consistency['tiers'][0]} alone: {against}"
            )
        lines.append(
            f"blank pictures: AUROC {model['honesty']['blank']['auroc']:.3f}; labels shuffled: AUROC "
            "{:.3f} [{:.3f}, {:.3f}]".format(*model["honesty"]["shuffled_labels"]["auroc"])
        )
    baseline = record["honesty"]["file_facts"]
    if baseline:
        lines.append("")
        lines.append(
            "metadata features alone: AUROC "
            + ", ".join(f"{tier} {row['auroc']:.3f}" for tier, row in baseline.items())
        )
    return "\n".join(lines)


def _row(tier: str, figures: Record) -> tuple[str, ...]:
    row = figures["by_picture"]
    mode = "balanced" if "fpr@balanced" in row else BEST_GUESS
    low, high = row["intervals"].get("auroc", (row["auroc"], row["auroc"]))
    return (
        tier,
        f"{row['accuracy']:.1%}",
        f"{row['balanced_accuracy']:.1%}",
        f"{figures['by_source']['balanced_accuracy']:.1%}",
        f"{row['auroc']:.3f} [{low:.3f}, {high:.3f}]",
        f"{row['ap']:.3f}",
        f"{row['tpr_at_1_fpr']:.1%}",
        f"{row[f'fpr@{mode}']:.1%}",
        f"{row[f'coverage@{mode}']:.1%}",
        f"{row['ece']:.3f}",
    )


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
