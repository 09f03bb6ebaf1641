"""What each grade of a model has meant: of the pictures that got it, how many were AI-made.

Of a set half AI-made, half real, each source weighing alike within its class: so that the figure is of the grade and
not of how many pictures of which kind a test set holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError, UsageError
from ..model import registry
from ..model.spec import dump_facts, load_spec
from ..types import GRADES, Thresholds
from ..verdict import grade
from .metrics import Scored, classes_alike, source_weights

SPLIT = "open_test"
SPLIT_NAMES = {
    "val": "validation",
    "test": "test",
    "open_test": "open test (sources never trained on)",
    "": "whole folder",
}
TIERS = ("web", "clean", "raw")  # the first of these that was measured is used
_TITLE = "## What each grade has meant"
_LEAST_PICTURES, _LEAST_SOURCES = 20, 5  # of fewer nothing is claimed


def grade_table(scored: Scored, thresholds: Mapping[str, Thresholds]) -> dict[str, dict[str, Any]]:
    """Grade -> `ai_share`, `pictures`, `sources`; without grades that too few pictures got. A picture on which the
    model does not decide because of its size counts for none."""
    modes = {mode: {"ai": cut.ai, "real": cut.real} for mode, cut in thresholds.items()}
    grades = np.array([grade(float(score), modes) for score in scored.scores])
    weights = classes_alike(scored.is_ai, source_weights(scored))
    judged = np.logical_not(np.broadcast_to(scored.too_small, grades.shape))
    table: dict[str, dict[str, Any]] = {}
    for name in GRADES:
        members = (grades == name) & judged
        pictures, sources = int(members.sum()), len(np.unique(scored.sources[members]))
        if pictures < _LEAST_PICTURES or sources < _LEAST_SOURCES:
            continue
        share = float(weights[members & scored.is_ai].sum() / weights[members].sum())
        table[name] = {"ai_share": round(share, 4), "pictures": pictures, "sources": sources}
    return table


def measured_grades(records: Sequence[Mapping[str, Any]], model: int) -> dict[str, Any] | None:
    """`measured.grades` of model.json, from studies' records; None without a record of open_test in one of TIERS."""
    for record in records:
        tiers = record["models"][model]["tiers"]
        tier = next((name for name in TIERS if name in tiers), None)
        if record["data"]["split"] != SPLIT or tier is None:
            continue
        by = tiers[tier]["grades"]
        where = {"split": SPLIT, "tier": tier, "data_id": record["data"]["id"], "date": record["date"]}
        return {**where, "by": by} if by else None
    return None


def write_grades(folder: Path, records: Sequence[Mapping[str, Any]], model: int) -> None:
    """Put what each grade has meant into model.json and CARD.md of `folder`, and nothing else; of a composed model into
    the recipe that ships too, if it is the one that was composed.

    Raises ModelError where model.json cannot be written or is not the one that was measured, UsageError where the
    records are not of open_test.
    """
    grades = measured_grades(records, model)
    if grades is None:
        raise UsageError("grades are measured on open_test with the tier web, clean or raw")
    spec = load_spec(folder)
    if records[0]["models"][model]["sha256"] != spec.onnx_sha256:
        raise ModelError(f"{folder}: not the model that was measured (sha256 of model.onnx differs)")
    recipe = registry.MODELS / spec.name
    is_composed = recipe != folder and registry.installed(spec.name) == folder
    for path in (folder / "model.json", *([recipe / "model.json"] if is_composed else [])):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            facts["measured"] = {**facts.get("measured", {}), "grades": grades}
            refresh_card(path.parent, facts)
            path.write_text(dump_facts(facts), encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: the grades cannot be written into it ({error!r})") from error


def refresh_card(folder: Path, facts: dict[str, Any]) -> None:
    """The section in CARD.md of `folder`, where there is a card: replaced, or put before what it is limited to. Where
    `facts`, its model.json, holds the card's hash, that follows."""
    path = folder / "CARD.md"
    if not path.is_file():
        return
    parts = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    kept = [part for part in parts if not part.startswith(_TITLE)]
    at = next((place for place, part in enumerate(kept) if part.startswith("## Limits")), len(kept))
    kept.insert(at, grades_section(facts["measured"]["grades"]) + "\n\n")
    path.write_text("".join(kept), encoding="utf-8")
    if path.name in facts.get("files", {}):
        facts["files"][path.name] = registry.file_sha256(path)


def grades_section(table: Mapping[str, Any] | None) -> str:
    """Of CARD.md: what an answer of each grade is worth."""
    if table is None:
        return ""
    rows = [
        f"| {name} | {100 * row['ai_share']:.1f} | {row['pictures']:,} | {row['sources']} |"
        for name, row in table["by"].items()
    ]
    return "\n".join(
        [
            _TITLE,
            "",
            f"Of 100 pictures that got it, how many were AI-made ({SPLIT_NAMES.get(table['split'], table['split'])}, "
            f"tier {table['tier']}; half of the weight on either class, sources alike). A grade that too few pictures "
            "got is left out.",
            "",
            "| grade | AI-made % | pictures | sources |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )
