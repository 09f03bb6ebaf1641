"""Write the static site, for any static file server.

python -m imageprocess.web OUT [--model NAME|DIR] [--issues ADDRESS] [--openapi FILE] [--no-thorough]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

import click

from ..errors import ModelError
from . import site


@click.command(help="Write the static site into OUT: pages, model, and the WebAssembly runtime.")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--model", help="Name of a model, or a model folder.")
@click.option(
    "--issues", help="Address for reports of wrong verdicts: the form for a new issue, or mailto:..."
)
@click.option("--openapi", type=click.File(encoding="utf-8"), help="OpenAPI document for the API page.")
@click.option(
    "--thorough/--no-thorough",
    default=True,
    help="Whether to include the large model that a browser downloads on request, if it is installed.",
)
def main(out: Path, model: str | None, issues: str | None, openapi: TextIO | None, thorough: bool) -> None:
    if not site.has_private_mode():
        sys.exit("private mode is not built: run `make web` first (needs npm)")
    try:
        bytes_written = site.build(
            out,
            site.browser_model(model),
            thorough=site.thorough_model(model) if thorough else None,
            issues=issues,
            openapi=openapi.read() if openapi else None,
        )
    except ModelError as error:
        sys.exit(str(error))
    click.echo(f"{out}: {bytes_written / 1e6:.1f} MB", err=True)


if __name__ == "__main__":
    main()
