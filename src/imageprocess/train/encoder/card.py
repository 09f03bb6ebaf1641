"""The model card of a head on an encoder, written from its model.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .maker_card import maker_section


def write_card(facts: Mapping[str, Any]) -> str:
    """The facts of model.json -> the text of CARD.md."""
    training = facts["training"]
    measured, images = training["measured"], training["images"]
    unit = training.get("folds_of", "sources")
    lines = [
        *title(facts),
        _origin(facts),
        f"- Trained here: the head ({_parameters(training)}). {_adapted(facts)}",
        f"- Data: {images['train']:,} degraded copies of pictures of {images['sources']} sources; data id "
        f"{training['data_id']} (docs/DATA_CARD.md).",
        f"- Calibration and thresholds: {facts['calibration']['fitted_on']}.",
        f"- Composed file: {facts['composed_bytes'] / 1e6:.1f} MB.",
        "",
        "## Out of fold",
        "",
        f"AUROC on training {unit} by heads that were not trained on them, every source with the same weight:",
        "",
        *auroc_table([measured["out_of_fold"]], [f"training {unit}"]),
        "",
    ]
    if names := [name for name in measured if name != "out_of_fold"]:
        lines += test_sets(measured, names)
    if "maker" in facts:
        lines += maker_section(facts["maker"])
    lines += ["## Limits", "", f"{_LIMITS} {_BASE_LIMITS}" if "base" in facts else _LIMITS, ""]
    return "\n".join(lines)


def title(facts: Mapping[str, Any]) -> list[str]:
    return [
        f"# {facts['name']} {facts['version']}",
        "",
        f"{facts['architecture']}. Input {facts['input']['width']} x {facts['input']['height']}: the whole picture "
        f"resized, and {facts['views']['crops']} native crop(s) with the most texture.",
        "",
    ]


def _adapted(facts: Mapping[str, Any]) -> str:
    if facts.get("adapted"):
        return "Low-rank adapters trained here are merged into the base."
    return "The encoder is unchanged."


def _origin(facts: Mapping[str, Any]) -> str:
    if "base" in facts:
        base = facts["base"]
        return (
            f"- Base: {base['title']} ({base['source']}), {base['licence']}; fetched by hash from the package "
            f"{base['package']} {base['version']}, never part of this repository. See NOTICE."
        )
    own = facts["encoder"]
    return (
        f"- Encoder: {own['title']} (`{own['file']}`, sha256 {own['sha256'][:12]}), {own['precision']}, a file of the "
        "user: its licence applies to model.onnx, which contains its weights."
    )


def test_sets(measured: Mapping[str, Any], names: list[str]) -> list[str]:
    """The section on the test sets `names` of `measured`."""
    lines = [
        "## Test sets",
        "",
        "No picture of these sources was used for training, selection or calibration. `clean` is JPEG 95, `web` two "
        "rounds of JPEG at 1024 px, `hard` JPEG 40. AUROC, every source with the same weight:",
        "",
    ]
    with_auroc = [name for name in names if measured[name]["auroc"]]  # those of both classes
    lines += auroc_table([measured[name]["auroc"] for name in with_auroc], with_auroc)
    return [*lines, "", *_coverage_table(measured, names), ""]


_LIMITS = (
    "Accuracy is lower on generators newer than the training set, on partly edited pictures, and on pictures far "
    "smaller than a crop. A probability is no proof: metadata and Content Credentials, if a file has them, say more "
    "than any model."
)
_BASE_LIMITS = "The base was trained on pictures from the web up to 2021 and has their biases."


def _parameters(training: Mapping[str, Any]) -> str:
    recipe = training["recipe"]
    return f"an MLP of {recipe['hidden'] * recipe['seeds']} hidden units, {recipe['seeds']} seeds averaged"


def auroc_table(rows: list[Mapping[str, float]], names: list[str]) -> list[str]:
    columns = sorted({column for row in rows for column in row})
    return [
        f"| | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
        *(
            f"| {name} | {' | '.join(f'{row[column]:.3f}' for column in columns)} |"
            for name, row in zip(names, rows, strict=True)
        ),
    ]


def _coverage_table(measured: Mapping[str, Any], names: list[str]) -> list[str]:
    """Coverage and errors of balanced mode over all degradations, by test set and category."""
    lines = [
        'Balanced mode, over all three degradations: coverage (the rest is "unsure") and error rates.',
        "",
        "| test set | category | coverage | real called AI | AI called real |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        parts = {"all": measured[name]["balanced"], **measured[name]["balanced_by_category"]}
        for category, part in parts.items():
            shares = [part.get(key) for key in ("coverage", "real_called_ai", "ai_called_real")]
            cells = " | ".join("" if share is None else f"{share:.1%}" for share in shares)
            lines.append(f"| {name} | {category} | {cells} |")
    return lines
