"""Writes the measured figures of a model: `measured` in model.json, CARD.md, and the table of all models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ModelError, UsageError
from ..model.spec import dump_facts
from .ablation import ablation_section
from .grades import SPLIT_NAMES, grades_section, measured_grades
from .groups import DEFAULT_MODE
from .metrics import BEST_GUESS

BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"
_WITH_INTERVALS = ("accuracy", "balanced_accuracy", "auroc", "tpr_at_1_fpr", "ece")
_BY_SOURCE = ("balanced_accuracy", "auroc", "tpr_at_1_fpr")
_DIGITS = 6  # stored; the card and the table round these values, so that nothing is rounded twice visibly

Record = Mapping[str, Any]


def write_card(folder: Path, records: Sequence[Record], model: int) -> None:
    """Write the figures of `records` (one per split, from `study.evaluate`) into the model folder `folder`.

    `model`: index of the model in the records. Raises ModelError if model.json cannot be read or written, or if it is
    not the model that was measured.
    """
    path = folder / "model.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if records[0]["models"][model]["sha256"] != facts["files"]["model.onnx"]:
            raise ModelError(f"{folder}: not the model that was measured (sha256 of model.onnx differs)")
        facts["measured"] = measured(records, model)
        card = render_card(facts, records, model).encode()
        facts["files"]["CARD.md"] = hashlib.sha256(card).hexdigest()
        (folder / "CARD.md").write_bytes(card)
        path.write_text(dump_facts(facts), encoding="utf-8")
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: the figures cannot be written into it ({error!r})") from error


def measured(records: Sequence[Record], model: int) -> dict[str, Any]:
    """The `measured` block of model.json. A split with one tier is flat, with the tier's name; else it is by tier."""
    splits: dict[str, Any] = {}
    for record in records:
        data, tiers = record["data"], record["models"][model]["tiers"]
        counts = {"n": data["n_ai"] + data["n_real"], "n_ai": data["n_ai"], "n_real": data["n_real"]}
        counts["sources"] = data["sources_ai"] + data["sources_real"]
        rows = {name: {**counts, **_figures(tier)} for name, tier in tiers.items()}
        only = next(iter(rows)) if len(rows) == 1 else None
        splits[data["split"] or "all"] = {"tier": only, **rows[only]} if only else rows
    block = {"data_id": records[0]["data"]["id"], "date": records[0]["date"], "splits": splits}
    grades = measured_grades(records, model)
    return {**block, "grades": grades} if grades else block


def _figures(tier: Record) -> dict[str, Any]:
    by_picture, by_source = tier["by_picture"], tier["by_source"]
    figures = {name: round(value, _DIGITS) for name, value in by_picture.items() if name != "intervals"}
    figures["by_source"] = {name: round(by_source[name], _DIGITS) for name in _BY_SOURCE}
    figures["intervals"] = {
        name: [round(bound, _DIGITS) for bound in by_picture["intervals"][name]]
        for name in _WITH_INTERVALS
        if name in by_picture["intervals"]
    }
    return figures


def write_table(page: Path, folders: Sequence[Path]) -> None:
    """Replace the text between the two markers in `page` by the table of the models in `folders`.

    Raises UsageError if the markers are missing.
    """
    try:
        text = page.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN, 1)
        _, after = rest.split(END, 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{page}: the markers {BEGIN} and {END} are missing; add both lines") from error
    facts = [json.loads((folder / "model.json").read_text(encoding="utf-8")) for folder in folders]
    table = render_table([model for model in facts if "measured" in model])
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def render_table(models: Sequence[Record]) -> str:
    """A Markdown table of the figures in the model.json files `models`."""
    rows = [
        (
            model["name"],
            SPLIT_NAMES.get(split, split),
            tier,
            f"{row['n']:,}",
            *(_percent(row, name) for name in ("accuracy", "balanced_accuracy")),
            _plain(row, "auroc"),
            _percent(row, f"fpr@{_mode(row)}"),
        )
        for model in models
        for split, tiers in model["measured"].get("splits", {}).items()
        for tier, row in _by_tier(tiers)
    ]
    head = ("model", "split", "tier", "pictures", "accuracy", "balanced accuracy", "AUROC", "FPR")
    return _table(head, rows)


def render_card(facts: Record, records: Sequence[Record], model: int) -> str:
    """CARD.md of the model with the model.json `facts`."""
    parts = [
        f"# {facts['name']} {facts['version']}",
        "Written by `imageprocess evaluate --write-card`; every figure is measured, none is typed.",
        _about(facts),
        "## Measured",
        f"On {facts['measured']['date']}, data set {facts['measured']['data_id']}. In brackets: 95 % bootstrap"
        " intervals, sources drawn first, then pictures. Accuracy is of the best guess; FPR is the share of real"
        " pictures called AI in the default mode, coverage the share of pictures that it does not call unsure. ECE"
        " weighs both classes alike, as the calibration does.",
        _table(_MEASURED_HEAD, [row for record in records for row in _measured_rows(record, model)]),
        grades_section(facts["measured"].get("grades")),
        *(_details(record, model) for record in records),
        ablation_section(facts.get("training", {})),
        _training(facts),
        _LIMITS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_MEASURED_HEAD = (
    "split", "tier", "AI / real (sources)", "accuracy %", "balanced %", "balanced, by source %", "AUROC",
    "TPR at 1 % FPR", "FPR %", "coverage %", "ECE",
)  # fmt: skip

_LIMITS = """## Limits

A verdict is a measurement, not a proof. Figures hold for pictures like those measured; pictures of newer generators,
heavily edited or very small pictures and screenshots may be misclassified. The intervals show how much a figure varies
with the choice of sources, not with the kind of picture. Not for accusing a person."""


def _about(facts: Record) -> str:
    size, calibration = facts["input"], facts["calibration"]
    rows = [
        ("input", f"RGB, {size['width']} x {size['height']}, {size['filter']}"),
        ("classes", ", ".join(facts["classes"])),
        *((key, str(facts[key])) for key in ("architecture", "parameters") if key in facts),
        *([("calibrated on", calibration["fitted_on"])] if "fitted_on" in calibration else []),
        ("model.onnx", f"sha256 {facts['files']['model.onnx'][:12]}"),
        *(
            (f"thresholds, {mode}", f"ai from {limits['ai']:.4g}, real to {limits['real']:.4g}")
            for mode, limits in facts["thresholds"].items()
        ),
    ]
    return _table(("", ""), rows)


def _measured_rows(record: Record, model: int) -> list[tuple[str, ...]]:
    data = record["data"]
    rows: list[tuple[str, ...]] = []
    for tier, figures in record["models"][model]["tiers"].items():
        row = figures["by_picture"]
        mode = _mode(row)
        rows.append(
            (
                SPLIT_NAMES.get(data["split"], data["split"]),
                tier,
                f"{data['n_ai']:,} ({data['sources_ai']}) / {data['n_real']:,} ({data['sources_real']})",
                _percent(row, "accuracy"),
                _percent(row, "balanced_accuracy"),
                _percent(figures["by_source"], "balanced_accuracy"),
                _plain(row, "auroc"),
                _percent(row, "tpr_at_1_fpr"),
                _percent(row, f"fpr@{mode}"),
                _percent(row, f"coverage@{mode}"),
                _plain(row, "ece"),
            )
        )
    return rows


def _details(record: Record, model: int) -> str:
    """Groups on the first tier, consistency and sanity checks of one split."""
    split = SPLIT_NAMES.get(record["data"]["split"], record["data"]["split"])
    figures = record["models"][model]
    tier, first = next(iter(figures["tiers"].items()))
    parts = [f"## In detail: {split}, tier {tier}"]
    for key, title in (("generator", "Generator"), ("real_origin", "Real origin"), ("category", "Category")):
        rows = [
            (
                row["name"].replace("|", "/"),
                f"{row['n_ai'] + row['n_real']:,}",
                _percent(row, "accuracy"),
                "" if row["auroc"] is None else f"{row['auroc']:.3f}",
                f"{100 * row['unsure']:.1f}",
            )
            for row in first["groups"][key]
        ]
        parts.append(_table((title, "pictures", "right %", "AUROC", "unsure %"), rows))
    parts.append(_consistency(figures["consistency"]))
    parts.append(_sanity(record, model, tier))
    return "\n\n".join(part for part in parts if part)


def _consistency(consistency: Record) -> str:
    if len(consistency["tiers"]) < 2:
        return ""
    per_tier = consistency | consistency["flips_from_first"]
    against = ", ".join(f"{tier} {_percent(per_tier, tier)} %" for tier in consistency["flips_from_first"])
    return (
        f"Degraded in {len(consistency['tiers'])} ways, {_percent(consistency, 'flips')} % of"
        f" the pictures change their best-guess label at least once; {100 * consistency['contradictions']:.1f} % are"
        f" called AI in one tier and real in another in the default mode. Against {consistency['tiers'][0]} alone:"
        f" {against}."
    )


def _sanity(record: Record, model: int, tier: str) -> str:
    own, baselines = record["models"][model]["honesty"], record["honesty"]
    rows = [
        (
            "always real",
            _percent(baselines["always_real"], "balanced_accuracy"),
            _plain(baselines["always_real"], "auroc"),
        )
    ]
    if tier in baselines["file_facts"]:
        figures = baselines["file_facts"][tier]
        balanced_accuracy = _percent(figures, "balanced_accuracy")
        rows.append(("metadata features alone", balanced_accuracy, _plain(figures, "auroc")))
    rows.append(
        (
            "this model on blank pictures",
            _percent(own["blank"], "balanced_accuracy"),
            _plain(own["blank"], "auroc"),
        )
    )
    shuffled = own["shuffled_labels"]
    balanced, auroc = shuffled["balanced_accuracy"], shuffled["auroc"]
    rows.append(
        (
            "this model, labels shuffled",
            "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * value for value in balanced)),
            "{:.3f} [{:.3f}, {:.3f}]".format(*auroc),
        )
    )
    return _table(("Sanity check", "balanced %", "AUROC"), rows)


def _training(facts: Record) -> str:
    """The single values of the `training` block of model.json as a table; nested figures stay in model.json."""
    training = facts.get("training")
    if not training:
        return ""
    rows = []
    for key, value in training.items():
        if key == "ablation":  # has a section of its own
            continue
        if isinstance(value, Mapping):
            rows += [
                (f"{key}: {name}", str(item)) for name, item in value.items() if not isinstance(item, Mapping)
            ]
        elif not isinstance(value, list):
            rows.append((key, str(value)))
    return "## Training\n\n" + _table(("", ""), rows)


def _by_tier(split: Record) -> list[tuple[str, Record]]:
    return [(split["tier"], split)] if "tier" in split else list(split.items())


def _mode(row: Record) -> str:
    return DEFAULT_MODE if f"fpr@{DEFAULT_MODE}" in row else BEST_GUESS


def _percent(row: Record, name: str) -> str:
    return _cell(row, name, 100, 1)


def _plain(row: Record, name: str) -> str:
    return _cell(row, name, 1, 3)


def _cell(row: Record, name: str, factor: float, digits: int) -> str:
    if name not in row:
        return ""
    value = f"{factor * row[name]:.{digits}f}"
    if name not in row.get("intervals", {}):
        return value
    low, high = (factor * bound for bound in row["intervals"][name])
    return f"{value} [{low:.{digits}f}, {high:.{digits}f}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
