"""The section of the model card on the maker head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def maker_section(maker: Mapping[str, Any]) -> list[str]:
    """`maker` of model.json -> lines of CARD.md."""
    families, measured = maker["families"], maker["measured"]
    lines = [
        "## Which generator",
        "",
        "A second head names the generator family of a picture whose verdict leans to AI; it has no influence on the "
        f"verdict. Families with fewer than {maker['recipe']['least_sources']} training sources are merged into one "
        f"(other), which is never named. A family is named if its probability is at least {maker['threshold']:.2f}, a "
        f"threshold fitted on {maker['fitted_on']} to a precision of {maker['recipe']['precision']:.0%}. "
        "Pictures of known family, every source with the same weight:",
        "",
        "| | sources | top-1 accuracy | top-3 accuracy | mean top-1 by family | named | precision of names |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, part in measured.items():
        shares = [part[key] for key in ("top1", "top3", "top1_families_alike", "named", "named_right")]
        cells = " | ".join("" if share is None else f"{share:.1%}" for share in shares)
        lines.append(f"| {name} | {part['sources']} | {cells} |")
    lines += [
        "",
        "Confusion matrix out of fold, in percent of each family's pictures (rows):",
        "",
    ]
    lines += _confusion(families, measured["out_of_fold"]["confusion"])
    closest = maker["closest_sources"]
    if closest:
        lines += [
            "",
            f"Closest training sources ({closest['sources']} sources, centroids of half of their pictures): of the "
            f"other half, {closest['own_is_closest']:.1%} are closest to their own source, "
            f"{closest['own_among_3']:.1%} have it among the first three, and of "
            f"{closest['same_class_closest']:.1%} the closest source has their class.",
        ]
    return [*lines, ""]


def _confusion(families: list[str], rows: Mapping[str, Any]) -> list[str]:
    lines = [f"| | {' | '.join(families)} | not named |", "|---" * (len(families) + 2) + "|"]
    for family, row in rows.items():
        cells = " | ".join(f"{100 * share:.0f}" for share in [*row["taken_for"], row["not_named"]])
        lines.append(f"| {family} | {cells} |")
    return lines
