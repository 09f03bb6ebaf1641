"""`imageprocess trust`: whose signatures on Content Credentials count."""

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


@click.group(
    epilog=f"The environment variables {SETTING} and {INTERIM_SETTING} name other files than those in your data folder."
)
def trust() -> None:
    """Manage the list of trusted signers of Content Credentials."""


@trust.command()
@click.option(
    "--from",
    "source",
    metavar="URL|FILE",
    help="Where to take the list from; the official C2PA trust list (CC BY 4.0) by default.",
)
@click.option(
    "--interim",
    is_flag=True,
    help='Get the frozen interim list instead, whose signers are trusted as "legacy".',
)
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Keep it there instead."
)
def update(source: str | None, to: Path | None, interim: bool) -> None:
    """Download the trust list, check it, and put it in place of the one that is there.

    When it cannot be had, or is no list of certificates, the old one stays and the exit status is 1.
    """
    source = source or (INTERIM_LIST if interim else OFFICIAL_LIST)
    fresh = update_trust_list(source, to or (interim_path() if interim else default_path()))
    click.echo(f"{fresh.path}: {fresh.describe()}")


@trust.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
def info(file: Path | None) -> None:
    """Show the lists in use, or FILE: where it is, how old, and every signer on it."""
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
