"""`imageprocess data unlabelled`: a data set of images without labels."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .output import progress_bar

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_MAX_LISTED = 20  # skipped files that are printed


@click.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Output folder.")
@click.option(
    "--without", type=_FOLDER, required=True, metavar="DATA",
    help="The data set with labels: images that it contains are left out.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="CPUs")
def unlabelled(folder: Path, out: Path, without: Path, jobs: int) -> None:
    """Import images without labels, for `encoder distil --unlabelled`.

    DIR is any folder of image files, with its subfolders. Files that cannot be decoded, duplicates, and images of the
    data set DATA are left out and counted.
    """
    from ..data.imports import SKIPPED_NAME
    from ..data.index import read_index
    from ..data.unlabelled import import_unlabelled

    known = {row.sha256 for row in read_index(without)}
    with progress_bar("pictures") as progress:
        report = import_unlabelled(folder, out, known, jobs=jobs, progress=progress)
    for item in report.skipped[:_MAX_LISTED]:
        click.echo(f"skipped {item.name}: {item.reason}", err=True)
    click.echo(
        f"{len(report.rows):,} images; left out: {len(report.skipped):,} that cannot be decoded"
        f"{f' ({out / SKIPPED_NAME})' if report.skipped else ''}, {report.duplicates:,} duplicates, "
        f"{report.known:,} of {without}",
        err=True,
    )
