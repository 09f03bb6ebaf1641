"""Measures each grade of a model: the share of AI-made images among those with the grade.

Both classes are weighted equally, and within a class all sources, so that the figure describes the grade and not the
composition of the test set.
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
from .ablation import ABLATION_TITLE, ablation_section
from .metrics import Scored, balance_classes, source_weights

SPLIT = "open_test"
SPLIT_NAMES = {
    "val": "validation",
    "test": "test",
    "open_test": "open test (sources never trained on)",
    "": "whole folder",
}
TIERS = ("web", "clean", "raw")  # the first of these that was measured is used
_TITLE = "## What each grade has meant"
_MIN_PICTURES, _MIN_SOURCES = 20, 5  # for a figure to be published


def grade_table(scored: Scored, thresholds: Mapping[str, Thresholds]) -> dict[str, dict[str, Any]]:
    """Grade -> `ai_share`, `pictures`, `sources`, without grades of too few images. Images on which the model does not
    decide because of their size are not counted."""
    modes = {mode: {"ai": limits.ai, "real": limits.real} for mode, limits in thresholds.items()}
    grades = np.array([grade(float(score), modes) for score in scored.scores])
    weights = balance_classes(scored.is_ai, source_weights(scored))
    is_graded = np.logical_not(np.broadcast_to(scored.too_small, grades.shape))
    table: dict[str, dict[str, Any]] = {}
    for name in GRADES:
        members = (grades == name) & is_graded
        pictures, sources = int(members.sum()), len(np.unique(scored.sources[members]))
        if pictures < _MIN_PICTURES or sources < _MIN_SOURCES:
            continue
        share = float(weights[members & scored.is_ai].sum() / weights[members].sum())
        table[name] = {"ai_share": round(share, 4), "pictures": pictures, "sources": sources}
    return table


def measured_grades(records: Sequence[Mapping[str, Any]], model: int) -> dict[str, Any] | None:
    """`measured.grades` of model.json, from records of studies; None without a record of open_test in one of TIERS."""
    for record in records:
        tiers = record["models"][model]["tiers"]
        tier = next((name for name in TIERS if name in tiers), None)
        if record["data"]["split"] != SPLIT or tier is None:
            continue
        by_grade = tiers[tier]["grades"]
        context = {"split": SPLIT, "tier": tier, "data_id": record["data"]["id"], "date": record["date"]}
        return {**context, "by": by_grade} if by_grade else None
    return None


def write_grades(folder: Path, records: Sequence[Mapping[str, Any]], model: int) -> None:
    """Write only the measurement of grades into model.json and CARD.md of `folder`; for a composed model, also into the
    shipped folder that it was composed from.

    Raises ModelError if model.json cannot be written or is not the model that was measured, UsageError if the records
    are not of open_test.
    """
    grades = measured_grades(records, model)
    if grades is None:
        raise UsageError("grades need --split open_test and the tier web, clean or raw in --tiers")
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
    """Replace the sections on grades and on the ablation in CARD.md of `folder`, if there is a card; a section that it
    does not have yet is inserted before "Limits". If `facts`, the folder's model.json, has the hash of the card, it is
    updated."""
    path = folder / "CARD.md"
    if not path.is_file():
        return
    parts = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for title, section in (
        (_TITLE, grades_section(facts.get("measured", {}).get("grades"))),
        (ABLATION_TITLE, ablation_section(facts.get("training", {}))),
    ):
        limits = next((i for i, part in enumerate(parts) if part.startswith("## Limits")), len(parts))
        old = [i for i, part in enumerate(parts) if part.startswith(title)]
        start, end = (old[0], old[-1] + 1) if old else (limits, limits)
        parts[start:end] = [f"{section}\n\n"] if section else []
    path.write_text("".join(parts), encoding="utf-8")
    if path.name in facts.get("files", {}):
        facts["files"][path.name] = registry.file_sha256(path)


def grades_section(table: Mapping[str, Any] | None) -> str:
    """The section of CARD.md on the accuracy of each grade."""
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
