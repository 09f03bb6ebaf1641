"""The card's section on the maker head, written from what its training measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def maker_section(maker: Mapping[str, Any]) -> list[str]:
    """`maker` of model.json -> lines of CARD.md."""
    families, measured = maker["families"], maker["measured"]
    lines = [
        "## Which generator",
        "",
        "A second head names the family of generators of a picture whose verdict leans to AI; it never decides. "
        f"Families of fewer than {maker['recipe']['least_sources']} training sources are learnt as one (other), "
        f"which is never named. A family is named from a probability of {maker['threshold']:.2f} on, chosen on "
        f"{maker['fitted_on']}, so that {maker['recipe']['precision']:.0%} of the names are right there. "
        "Pictures whose family is known, sources weighing alike:",
        "",
        "| | sources | right first | among first 3 | families alike | named | right where named |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, part in measured.items():
        shares = [part[key] for key in ("top1", "top3", "top1_families_alike", "named", "named_right")]
        cells = " | ".join("" if share is None else f"{share:.1%}" for share in shares)
        lines.append(f"| {name} | {part['sources']} | {cells} |")
    lines += [
        "",
        "Out of fold, the share in percent of each family's pictures (rows) taken for each family:",
        "",
    ]
    lines += _confusion(families, measured["out_of_fold"]["confusion"])
    near = maker["closest_sources"]
    if near:
        lines += [
            "",
            f"Closest training sources ({near['sources']} sources, centroids of half of their pictures): of the other "
            f"half, {near['own_is_closest']:.1%} lie closest to their own source, {near['own_among_3']:.1%} have it "
            f"among the first three, and of {near['same_class_closest']:.1%} the closest source has their class.",
        ]
    return [*lines, ""]


def _confusion(families: list[str], rows: Mapping[str, Any]) -> list[str]:
    lines = [f"| | {' | '.join(families)} | not named |", "|---" * (len(families) + 2) + "|"]
    for family, row in rows.items():
        cells = " | ".join(f"{100 * share:.0f}" for share in [*row["taken_for"], row["not_named"]])
        lines.append(f"| {family} | {cells} |")
    return lines
