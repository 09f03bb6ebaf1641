"""`imageprocess evaluate`: measure models on a data set."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..extras import require_extra
from .output import destination, progress_bar

if TYPE_CHECKING:
    from ..evaluate.commands import Command
    from ..evaluate.study import Study

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--data",
    required=True,
    type=_FOLDER,
    help="A data set of `data build` or `data import`, or a folder with ai/ and real/.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|DIR",
    help="Model to measure; repeatable. Default: the default model.",
)
@click.option(
    "--command",
    "commands",
    multiple=True,
    metavar="NAME=COMMAND",
    help="External detector: a command with {folder} in it that prints path<TAB>probability. Repeatable.",
)
@click.option(
    "--split",
    metavar="NAME",
    help="open_test, test, val, train, or a test set of open_test (open_test_1, edits). Default: open_test, "
    "or test if there is none.",
)
@click.option("--tiers", metavar="A,B,...", help="Degradation tiers. Default: all nine.")
@click.option(
    "--report",
    type=_FILE,
    metavar="OUT.html",
    help="Write a self-contained HTML report (with --write-card: of the last split).",
)
@click.option("--json", "json_out", type=_FILE, metavar="OUT.json", help="Write all figures as JSON.")
@click.option(
    "--write-card",
    is_flag=True,
    help="Measure every split that the model was not trained on; write CARD.md and the figures in model.json.",
)
@click.option(
    "--write-grades", is_flag=True,
    help="Write only the measured share of AI images per grade on open_test, into model.json and CARD.md.",
)  # fmt: skip
@click.option("--per-source", type=click.IntRange(1), metavar="N", help="Use at most N images per source.")
@click.option(
    "--table",
    type=_FILE,
    metavar="PAGE.md",
    help="With --write-card: update the table of all models in this Markdown file too.",
)
@click.option(
    "--resamples",
    type=click.IntRange(0, 1_000_000),
    default=1000,
    show_default=True,
    help="Number of bootstrap resamples.",
)
@click.option(
    "--leave-one-out",
    is_flag=True,
    help="Instead: for each generator, train a network without it and test it on it.",
)
@click.option("--net", default="cnn", show_default=True, help="Network for --leave-one-out.")
@click.option(
    "--epochs",
    type=click.IntRange(1, 10_000),
    default=2,
    show_default=True,
    help="Epochs of each run of --leave-one-out.",
)
@click.option(
    "--sample",
    type=click.IntRange(16, 100_000_000),
    default=4000,
    show_default=True,
    help="Training images of each run of --leave-one-out.",
)
@click.option("--jobs", type=click.IntRange(1, 1_000), default=2, show_default=True, help="Worker processes.")
def evaluate(
    data: Path, models: tuple[str, ...], commands: tuple[str, ...], split: str | None, tiers: str | None,
    report: Path | None, json_out: Path | None, write_card: bool, write_grades: bool, per_source: int | None,
    table: Path | None, resamples: int, leave_one_out: bool, net: str, epochs: int, sample: int, jobs: int,
) -> None:  # fmt: skip
    """Measure models on a data set, on the original images and on degraded copies (tiers)."""
    _check_writable(report, json_out, table)
    if leave_one_out:
        _check_no_conflicts(
            {
                "--model": models, "--command": commands, "--split": split, "--tiers": tiers,
                "--report": report, "--write-card": write_card, "--table": table,
                "--write-grades": write_grades, "--per-source": per_source,
            }
        )  # fmt: skip
        _leave_one_out(data, net, epochs, sample, resamples, jobs, json_out)
        return
    from ..evaluate import card, grades, study
    from ..evaluate.pictures import read_dataset
    from ..model import registry

    if table and not write_card:
        raise click.UsageError("--table needs --write-card")
    peers = [_parse_command(text) for text in commands]
    folders = [registry.resolve(name) for name in models] or ([] if peers else [registry.resolve()])
    if write_card:
        _check_cards(folders, table)
    render_page = _import_page() if report else None
    studies = []
    for one_split, one_tiers in _plan(data, split, tiers, folders if write_card else []):
        dataset = read_dataset(data, one_split, per_source=per_source)
        with progress_bar(f"{dataset.name} {dataset.split}".strip()) as progress:
            measured = study.evaluate(
                dataset, folders, one_tiers,
                commands=peers, jobs=jobs, resamples=resamples, progress=progress,
            )  # fmt: skip
        studies.append(measured)
        _print_summary(measured)
    records = [measured.record for measured in studies]
    for index, folder in enumerate(folders):
        if write_card:
            card.write_card(folder, records, index)
        if write_grades:
            grades.write_grades(folder, records, index)
    if table:
        card.write_table(table, registry.shipped() or folders)
    if json_out:
        _write_json(json_out, {"schema": 1, "splits": records})
    if report and render_page:
        with destination(report) as stream:
            stream.write(render_page(studies[-1]).encode())


def _check_no_conflicts(options: dict[str, object]) -> None:
    if names := [name for name, value in options.items() if value]:
        raise click.UsageError(
            f"--leave-one-out trains its own networks and cannot be combined with {', '.join(names)}"
        )


def _check_writable(*paths: Path | None) -> None:
    """Fail before hours of work if the output cannot be written."""
    for path in filter(None, paths):
        folder = path.resolve().parent
        if str(path) == "-" or (path.exists() and not path.is_file()):  # a stream or a device
            continue
        if not folder.is_dir():
            raise click.FileError(str(path), f"folder {folder} does not exist")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise click.FileError(str(path), f"no permission to write into {folder}")


def _check_cards(folders: list[Path], table: Path | None) -> None:
    from ..evaluate.card import BEGIN, END

    if not folders:
        raise click.UsageError("--write-card needs a model: name it with --model")
    for folder in folders:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise click.UsageError(
                f"{folder}: not writable; copy the model with `imageprocess model export` and measure the copy"
            )
    if table:
        text = table.read_text(encoding="utf-8")
        if not text.partition(BEGIN)[2].partition(END)[1]:
            raise click.UsageError(
                f"{table}: the markers {BEGIN} and {END} are missing; add both on lines of their own"
            )


def _parse_command(text: str) -> Command:
    from ..evaluate.commands import parse_command

    try:
        command = parse_command(text)
        shlex.split(command.line)
    except ValueError as error:  # unbalanced quotes
        raise click.BadParameter(f"{text!r}: {error}", param_hint="--command") from error
    return command


def _import_page() -> Callable[[Study], str]:
    with require_extra("report"):
        from ..evaluate.page import render_page
    return render_page


def _leave_one_out(
    data: Path, net: str, epochs: int, sample: int, resamples: int, jobs: int, json_out: Path | None
) -> None:
    from ..evaluate import leave_one_out as experiment

    def report(generator: str, done: int, total: int) -> None:
        click.echo(f"run {done + 1} of {total}: without {generator}", err=True)

    plan = experiment.Plan(net=net, epochs=epochs, sample=sample)
    record = experiment.leave_one_out(data, plan, jobs=jobs, resamples=resamples, report=report)
    click.echo(experiment.render_table(record))
    if json_out:
        _write_json(json_out, {"schema": 1, "leave_one_out": record})


def _plan(
    data: Path, split: str | None, tiers: str | None, card_models: Sequence[Path]
) -> list[tuple[str | None, tuple[str, ...]]]:
    """The splits to measure, and the tiers of each. If model cards are written: every split that none of `card_models`
    was trained on."""
    from ..data.tiers import REPORT_TIERS, TIERS
    from ..evaluate.pictures import splits_of
    from ..model.spec import load_spec

    chosen = tuple(name.strip() for name in tiers.split(",")) if tiers else None
    for name in chosen or ():
        if name not in TIERS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(TIERS)}", param_hint="--tiers")
    trained = {
        name
        for folder in card_models
        for name in load_spec(folder).facts.get("training", {}).get("splits", ["train"])
    }
    splits = (
        [name for name in splits_of(data) if name not in trained] if card_models and split is None else []
    )
    if not splits:
        return [(split, chosen or REPORT_TIERS)]
    # Validation and test have the sources of training, so they are degraded as in training.
    return [(name, chosen or (REPORT_TIERS if name == "open_test" else ("equalised",))) for name in splits]


def _print_summary(study: Study) -> None:
    from ..evaluate.summary import summarise

    click.echo(summarise(study.record))


def _write_json(path: Path, record: dict[str, Any]) -> None:
    import json

    with destination(path) as stream:
        stream.write(json.dumps(record, indent=1).encode() + b"\n")
