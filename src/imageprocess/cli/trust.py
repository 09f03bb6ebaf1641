"""`imageprocess trust`: manage the trusted signers of Content Credentials."""

from __future__ import annotations

from pathlib import Path

import click

from ..provenance.trust import (
    INTERIM_LIST,
    INTERIM_SETTING,
    OFFICIAL_LIST,
    SETTING,
    TrustList,
    default_path,
    find_interim_list,
    interim_path,
    load_trust_list,
    path_in_use,
    update_trust_list,
)


@click.group(epilog=f"{SETTING} and {INTERIM_SETTING} override the files in the data folder.")
def trust() -> None:
    """Manage the list of trusted signers of Content Credentials."""


@trust.command()
@click.option(
    "--from",
    "source",
    metavar="URL|FILE",
    help="Source of the list. Default: the official C2PA trust list (CC BY 4.0).",
)
@click.option(
    "--interim",
    is_flag=True,
    help='Download the frozen interim list, whose signers are trusted as "legacy".',
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the list to FILE instead of the data folder.",
)
def update(source: str | None, to: Path | None, interim: bool) -> None:
    """Download and check the trust list, and replace the current one.

    If it cannot be downloaded or is not a list of certificates, the current list is kept and the exit status is 1.
    """
    source = source or (INTERIM_LIST if interim else OFFICIAL_LIST)
    updated = update_trust_list(source, to or (interim_path() if interim else default_path()))
    click.echo(f"{updated.path}: {updated.describe()}")


@trust.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
def info(file: Path | None) -> None:
    """Show the lists in use, or FILE: location, age, and every signer."""
    _show(load_trust_list(file or path_in_use()))
    interim = None if file else find_interim_list()
    if interim:
        click.echo("\nThe frozen interim list (legacy):")
        _show(interim)


def _show(signers: TrustList) -> None:
    click.echo(
        f"{signers.path}\n{signers.describe()}" + (f" from {signers.source}" if signers.source else "")
    )
    for signer in signers.signers:
        click.echo(f"  {signer.name}  (until {signer.valid_until})")
