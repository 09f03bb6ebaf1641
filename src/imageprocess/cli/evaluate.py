"""`imageprocess evaluate`: measure models on a data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..evaluate.runner import Progress
    from ..evaluate.study import Study

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--data", required=True, type=_FOLDER, help="A built or imported data set, or an ai | real folder."
)
@click.option(
    "--model", "models", multiple=True, metavar="NAME|DIR", help="Repeatable. Default: the default model."
)
@click.option(
    "--command",
    "commands",
    multiple=True,
    metavar="NAME=COMMAND",
    help="A detector of any make: run over {folder}, it prints path<TAB>probability. Repeatable.",
)
@click.option(
    "--split", type=click.Choice(["open_test", "test", "val", "train"]), help="Default: open_test, else test."
)
@click.option("--tiers", metavar="A,B,...", help="Ways of delivery. Default: all nine.")
@click.option("--report", type=_FILE, metavar="OUT.html", help="One self-contained page with every plot.")
@click.option("--json", "json_out", type=_FILE, metavar="OUT.json", help="Every figure, machine-readable.")
@click.option(
    "--write-card", is_flag=True, help="Measure every split and write CARD.md and model.json's figures."
)
@click.option(
    "--readme", type=_FILE, metavar="README.md", help="With --write-card: write the table in it, too."
)
@click.option(
    "--resamples", type=click.IntRange(0), default=1000, show_default=True, help="Of the bootstrap."
)
@click.option(
    "--leave-one-out",
    is_flag=True,
    help="Instead: train a network for each generator without it, test it on that generator.",
)
@click.option("--net", default="cnn", show_default=True, help="Of --leave-one-out.")
@click.option(
    "--epochs", type=click.IntRange(1), default=2, show_default=True, help="Of each run of --leave-one-out."
)
@click.option(
    "--sample",
    type=click.IntRange(16),
    default=4000,
    show_default=True,
    help="Training pictures of each run.",
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
def evaluate(
    data: Path,
    models: tuple[str, ...],
    commands: tuple[str, ...],
    split: str | None,
    tiers: str | None,
    report: Path | None,
    json_out: Path | None,
    write_card: bool,
    readme: Path | None,
    resamples: int,
    leave_one_out: bool,
    net: str,
    epochs: int,
    sample: int,
    jobs: int,
) -> None:
    """Measure models on pictures as they are and as the web delivers them."""
    if leave_one_out:
        _leave_one_out(data, net, epochs, sample, resamples, jobs, json_out)
        return
    from ..evaluate import card, study
    from ..evaluate.commands import parse_command
    from ..evaluate.pictures import read_dataset
    from ..model import registry

    if readme and not write_card:
        raise click.UsageError("--readme goes with --write-card")
    peers = [parse_command(text) for text in commands]
    folders = [registry.resolve(name) for name in models] or ([] if peers else [registry.resolve()])
    studies = []
    for one_split, one_tiers in _plan(data, split, tiers, whole=write_card):
        dataset = read_dataset(data, one_split)
        with _bar(f"{dataset.name} {dataset.split}".strip()) as progress:
            found = study.evaluate(
                dataset,
                folders,
                one_tiers,
                commands=peers,
                jobs=jobs,
                resamples=resamples,
                progress=progress,
            )
        studies.append(found)
        _print_summary(found)
    records = [found.record for found in studies]
    if write_card:
        for index, folder in enumerate(folders):
            card.write_card(folder, records, index)
        if readme:
            card.write_readme(readme, registry.shipped() or folders)
    if json_out:
        _write_json(json_out, {"schema": 1, "splits": records})
    if report:
        _write_page(report, studies[-1])


def _leave_one_out(
    data: Path, net: str, epochs: int, sample: int, resamples: int, jobs: int, json_out: Path | None
) -> None:
    from ..evaluate import leave_one_out as room

    def report(left_out: str, done: int, of: int) -> None:
        click.echo(f"run {done + 1} of {of}: without {left_out}", err=True)

    plan = room.Plan(net=net, epochs=epochs, sample=sample)
    record = room.leave_one_out(data, plan, jobs=jobs, resamples=resamples, report=report)
    click.echo(room.render_table(record))
    if json_out:
        _write_json(json_out, {"schema": 1, "leave_one_out": record})


def _plan(
    data: Path, split: str | None, tiers: str | None, *, whole: bool
) -> list[tuple[str | None, tuple[str, ...]]]:
    """Which splits are measured on which tiers. For a card: each split that was not trained on."""
    from ..evaluate.pictures import splits_of
    from ..evaluate.tiers import DELIVERIES, TIERS

    asked = tuple(name.strip() for name in tiers.split(",")) if tiers else None
    for name in asked or ():
        if name not in TIERS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(TIERS)}", param_hint="--tiers")
    measured = [name for name in splits_of(data) if name != "train"] if whole and split is None else []
    if not measured:
        return [(split, asked or DELIVERIES)]
    # Validation and test hold the sources of training: there the question is what the network made of what it was
    # shown, so they are shown as training shows them.
    return [(name, asked or (DELIVERIES if name == "open_test" else ("equalised",))) for name in measured]


def _print_summary(study: Study) -> None:
    from ..evaluate.summary import summarise

    click.echo(summarise(study.record))


def _write_json(path: Path, record: dict[str, Any]) -> None:
    import json

    from .output import destination

    with destination(path) as stream:
        stream.write(json.dumps(record, indent=1).encode() + b"\n")


def _write_page(path: Path, study: Study) -> None:
    from ..errors import MissingExtraError
    from .output import destination

    try:
        from ..evaluate.page import render_page
    except ImportError as error:
        raise MissingExtraError(error.name or "matplotlib", "report") from error
    with destination(path) as stream:
        stream.write(render_page(study).encode())


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """A progress bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, of: bars.update(task, completed=done, total=of)
