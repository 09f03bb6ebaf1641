"""`imageprocess data`: build, audit, import and describe data sets."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .data_sources import add, sheet
from .data_unlabelled import unlabelled
from .output import named_progress_bar

if TYPE_CHECKING:
    from ..data.audit import AuditReport

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_jobs = click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="CPUs")
_seed = click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
_MAX_LISTED = 20  # skipped files that are printed


@click.group()
def data() -> None:
    """Build, audit, import and describe data sets."""


data.add_command(sheet)
data.add_command(add)
data.add_command(unlabelled)


@data.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Output folder; an interrupted build is continued.")  # fmt: skip
@click.option(
    "--git-root",
    type=_FOLDER,
    help="Folder of existing clones, named owner+name. Default: repositories are cloned.",
)
@click.option("--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Use this list of sources instead of the shipped one.")  # fmt: skip
@click.option("--licence", type=click.Choice(["any", "permissive"]), default="any", show_default=True,
              help="permissive: only sources with a stated permissive licence.")  # fmt: skip
@click.option("--only", metavar="ID,...", help="Build only these sources.")
@click.option("--cap", type=click.IntRange(1), default=100, show_default=True,
              help="Maximum number of images per source, unless the manifest sets another.")  # fmt: skip
@click.option("--train-on-edits", is_flag=True,
              help="Also train on AI edits of real photographs (default: test only).")  # fmt: skip
@_jobs
@_seed
def build(
    out: Path,
    git_root: Path | None,
    manifest: Path | None,
    licence: str,
    only: str | None,
    cap: int,
    train_on_edits: bool,
    jobs: int,
    seed: int,
) -> None:
    """Build a data set from public repositories."""
    from ..data.build import build as run
    from .data_tables import show_set

    with named_progress_bar("sources", lines=True) as progress:
        report = run(
            out,
            git_root=git_root,
            manifest=manifest,
            only=frozenset(only.split(",")) if only else None,
            permissive_only=licence == "permissive",
            train_on_edits=train_on_edits,
            cap=cap,
            jobs=jobs,
            seed=seed,
            progress=progress,
        )
    show_set(report.rows)
    for reason, count in sorted(report.dropped.items()):
        click.echo(f"excluded, {reason}: {count:,}", err=True)
    for source, reason in report.copies.items():
        click.echo(f"source {source} excluded: {reason}", err=True)
    for source, reason in report.failed.items():
        click.echo(f"source {source} failed: {reason}", err=True)
    if report.failed:
        raise click.exceptions.Exit(1)


@data.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=4000,
    show_default=True,
    help="Maximum number of images to examine.",
)
@_jobs
@_seed
@_json
def audit(folder: Path, sample: int, jobs: int, seed: int, as_json: bool) -> None:
    """Check whether metadata features alone (format, size, JPEG quality) separate the classes.

    Exit status 1 if they do even after the degradation that training applies, overall or within a category.
    """
    from ..data.audit import MAX_AUROC
    from ..data.audit import audit as run
    from ..data.card import counts, scarce_categories, sources_by_category
    from ..data.index import read_index
    from .data_tables import show_audit, show_counts

    rows = read_index(folder)
    with named_progress_bar("pictures") as progress:
        report = run(
            folder,
            rows,
            sample=sample,
            jobs=jobs,
            seed=seed,
            progress=lambda done, total: progress("", done, total),
        )
    if as_json:
        click.echo(
            json.dumps(
                {
                    "passed": report.passed,
                    "limit": MAX_AUROC,
                    **asdict(report),
                    "counts": counts(rows),
                    "sources_by_category": sources_by_category(rows),
                },
                indent=2,
            )
        )
    else:
        show_counts(rows)
        show_audit(report)
    _print_outcome(report, scarce_categories(rows))
    if not report.passed:
        raise click.exceptions.Exit(1)


@data.command(name="import")
@click.argument("source", metavar="SRC")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Output folder.")
@click.option("--name", help="Name of the source in the index. Default: last part of SRC.")
@click.option("--image-column", help="Hugging Face: the image column, if there are several.")
@click.option("--label-column", help="Hugging Face: the label column.")
@click.option(
    "--ai-label", "ai_labels", multiple=True, help="Hugging Face: a label that means AI; repeatable."
)
@_jobs
@_seed
def import_(
    source: str,
    out: Path,
    name: str | None,
    image_column: str | None,
    label_column: str | None,
    ai_labels: tuple[str, ...],
    jobs: int,
    seed: int,
) -> None:
    """Import your own images as a data set.

    SRC is a folder with ai/ and real/, or with train/, val/ and test/ that each contain ai/ and real/ (fake/ also
    works); a zip of such a folder; or a Hugging Face image data set, given as a local path or its name on the hub.
    """
    from ..data.imports import SKIPPED_NAME, HubColumns, import_set
    from .data_tables import show_set

    columns = HubColumns(image_column, label_column, ai_labels)
    with named_progress_bar("pictures") as progress:
        report = import_set(
            source,
            out,
            name=name,
            columns=columns if columns != HubColumns() else None,
            jobs=jobs,
            seed=seed,
            progress=lambda done, total: progress("", done, total),
        )
    show_set(report.rows)
    for item in report.skipped[:_MAX_LISTED]:
        click.echo(f"skipped {item.name}: {item.reason}", err=True)
    if len(report.skipped) > _MAX_LISTED:
        more = len(report.skipped) - _MAX_LISTED
        click.echo(f"skipped {more:,} more, listed in {out / SKIPPED_NAME}", err=True)
    if report.duplicates:
        click.echo(f"dropped as exact duplicates: {report.duplicates:,}", err=True)
    if report.split_duplicates:
        click.echo(
            f"note: {report.split_duplicates:,} pairs of near-duplicates lie in different splits of the source; "
            "figures measured on these splits are too optimistic",
            err=True,
        )


@data.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@_json
@click.option(
    "--card", type=click.Path(dir_okay=False, path_type=Path), help="Write a data card to this file."
)
def info(folder: Path, as_json: bool, card: Path | None) -> None:
    """Show the numbers of images by split, source and licence."""
    from ..data.card import counts, render_card
    from ..data.index import data_id, read_index
    from .data_tables import show_set
    from .output import destination

    rows = read_index(folder)
    if card:
        with destination(card) as stream:
            stream.write(render_card(rows, folder.absolute().name).encode())
    if as_json:
        click.echo(
            json.dumps({"data_id": data_id(rows), "pictures": len(rows), "counts": counts(rows)}, indent=2)
        )
    else:
        show_set(rows)


def _print_outcome(report: AuditReport, scarce: list[str]) -> None:
    """Print the outcome of an audit on standard error. `scarce`: categories with too few sources."""
    from ..data.audit import MAX_AUROC
    from ..data.card import LEAST_SOURCES

    if scarce:
        click.echo(
            f"note: fewer than {LEAST_SOURCES} training sources of a class in {', '.join(scarce)}; a model may learn "
            "the content of a category instead of its origin",
            err=True,
        )
    for name, leak in report.by_category.items():
        if not leak.passed:
            click.echo(
                f"FAILED: within {name}, metadata features alone reach AUROC {leak.auroc_without_bytes:.3f}; "
                f"the limit is {leak.limit:.3f}",
                err=True,
            )
        elif leak.differs_in_detail:
            click.echo(
                f"note: within {name}, the classes differ in detail (AUROC {leak.auroc:.3f} by the bytes of files "
                "that are encoded identically); add AI and real sources of that category that resemble each other",
                err=True,
            )
    if report.equalised.auroc > MAX_AUROC:
        click.echo(
            f"FAILED: after equalisation, metadata features alone reach AUROC {report.equalised.auroc:.3f}; "
            f"the limit is {MAX_AUROC}. Most informative feature: {next(iter(report.equalised.importance))}.",
            err=True,
        )
    if report.passed:
        click.echo(
            f"passed: AUROC {report.equalised.auroc:.3f} after equalisation, limit {MAX_AUROC}", err=True
        )
