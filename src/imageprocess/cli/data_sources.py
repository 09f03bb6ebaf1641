"""`imageprocess data sheet` and `data add`: inspect a source of the manifest, and add one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..data.categories import CATEGORIES, CONFIDENCES, EDIT, EDIT_SET, GENERATORS
from ..errors import DataError, UsageError

if TYPE_CHECKING:
    from ..data.manifest import SourceEntry
    from ..data.sheet import SourceSample

_CLONES = "clones"
_git_root = click.option(
    "--git-root", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help=f"Folder of existing clones, named owner+name. Default: repositories are cloned into {_CLONES}/.",
)  # fmt: skip
_manifest = click.option(
    "--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use this list of sources instead of the shipped one.",
)  # fmt: skip
_count = click.option(
    "--count", type=click.IntRange(1, 300), default=30, show_default=True, help="Number of images to sample."
)
_PLACEHOLDER = "unseen"  # for a field that sampling does not need


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Output image. Default: SOURCE.png."
)
@_count
@_git_root
@_manifest
def sheet(source: str, out: Path | None, count: int, git_root: Path | None, manifest: Path | None) -> None:
    """Draw a contact sheet of a source of the manifest.

    SOURCE is its id. The sampled images are cropped as in a build. Counts, sizes, formats and cameras are printed.
    """
    from ..data.manifest import load_manifest

    entries = {entry.id: entry for entry in load_manifest(manifest)}
    if source not in entries:
        raise UsageError(f"{source}: no such source in {manifest or 'sources.json'}")
    _print_sample(entries[source], git_root, manifest, count, out or Path(f"{source}.png"))


@click.command()
@click.argument("repo", metavar="OWNER/NAME")
@click.option("--label", type=click.Choice(["ai", "real"]), required=True)
@click.option("--include", required=True, metavar="REGEX", help="Paths to include.")
@click.option("--exclude", metavar="REGEX", help="Paths to exclude.")
@click.option("--commit", metavar="HEX", help="Commit to read. Default: HEAD of the clone.")
@click.option("--id", "name", metavar="NAME", help="Id of the source. Default: from the repository's name.")
@click.option("--category", type=click.Choice(CATEGORIES))
@click.option("--shows", metavar="TEXT", help="What the images show, in a few words.")
@click.option(
    "--generator", type=click.Choice(tuple(GENERATORS)), help="For AI images: the generator family."
)
@click.option(
    "--made-by", metavar="TEXT", help="The generator; or who took or drew the images, and with what."
)
@click.option("--era", metavar="YEAR", help="e.g. 2024, 2019-2021, 'before 2012'.")
@click.option("--licence", default="none stated", show_default=True, help="Licence as stated by the source.")
@click.option("--permissive", is_flag=True, help="The licence is open and covers the images.")
@click.option("--private-people", is_flag=True, help="Private people can be recognised.")
@click.option("--confidence", type=click.Choice(CONFIDENCES), default="high", show_default=True)
@click.option("--split", type=click.Choice(["train", "open_test"]), default="train", show_default=True)
@click.option("--test-set", metavar="NAME", help="For open_test: the test set.")
@click.option("--min-side", type=click.IntRange(0), default=200, show_default=True, metavar="PX")
@click.option("--cap", type=click.IntRange(1), help="Maximum number of images. Default: as in the build.")
@click.option("--crop", type=int, nargs=4, metavar="L T R B", help="Pixels to crop from each edge.")
@click.option(
    "--grid", type=int, nargs=2, metavar="COLS ROWS", help="Files are sheets of COLS x ROWS images."
)
@click.option("--group", metavar="REGEX", help="Its group captures the prompt or scene from the path.")
@click.option("--notes", default="", help="Observations, and why the label is certain.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Contact sheet. Default: NAME.png."
)
@click.option("--yes", is_flag=True, help="Write the entry without asking.")
@_count
@_git_root
@_manifest
def add(
    repo: str,
    name: str | None,
    commit: str | None,
    manifest: Path | None,
    git_root: Path | None,
    out: Path | None,
    count: int,
    yes: bool,
    **fields: Any,
) -> None:
    """Inspect a repository and add it to the manifest as a source.

    Prints counts and draws a contact sheet as `data sheet` does. If all required fields are given, writes the entry
    after confirmation.
    """
    from ..data.add import append, check_new
    from ..data.git_objects import head_commit, locate
    from ..data.manifest import built_in_file, parse_entry
    from ..data.reserved import is_reserved

    if is_reserved(repo):
        raise DataError(f"{repo} is reserved for independent evaluations and cannot be a source")
    target = manifest or built_in_file()
    git_dir = locate(repo, commit, git_root or Path(_CLONES), may_clone=git_root is None)
    name = name or repo.rpartition("/")[2].lower().replace(".", "_").replace("-", "_")
    record, missing = _record(name, repo, commit or head_commit(git_dir), fields)
    sample_record = {**record, **{key: _placeholder(key) for key in missing}}
    entry = parse_entry(sample_record, repo)
    look = _print_sample(entry, git_root, manifest, count, out or Path(f"{name}.png"))
    if missing:
        options = ", ".join(sorted({_OPTIONS.get(key, f"--{key}") for key in missing}))
        raise UsageError(f"{repo}: not added; missing options: {options}")
    record["count"] = look.files
    check_new(record, target)
    if not yes:
        click.confirm(f"add {name} to {target}?", abort=True, err=True)
    append(record, target)
    click.echo(f"added {name} to {target}", err=True)


_OPTIONS = {"generator_detail": "--made-by", "origin": "--made-by", "test_set": "--test-set"}


def _record(name: str, repo: str, commit: str, fields: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The entry with its fields in the manifest's order, and the names of the missing fields."""
    made_by = "generator_detail" if fields["label"] == "ai" else "origin"
    record: dict[str, Any] = {
        "id": name, "label": fields["label"], "repo": repo, "commit": commit, "include": fields["include"],
        "exclude": fields["exclude"],
    }  # fmt: skip
    if fields["label"] == "ai":
        record["generator"] = fields["generator"]
    record[made_by] = fields["made_by"]
    required = ("category", "shows", "era", "licence", "permissive", "private_people", "confidence")
    record |= {key: fields[key] for key in required}
    record |= {key: fields[key] for key in ("cap",) if fields[key]}
    record |= {key: list(fields[key]) for key in ("grid", "crop") if fields[key]}
    record |= {key: fields[key] for key in ("min_side", "group", "split")}
    if fields["split"] == "open_test":
        record["test_set"] = EDIT_SET if fields["category"] == EDIT else fields["test_set"]
    record["notes"] = fields["notes"]
    optional = {"exclude", "group", "notes"}
    return record, [key for key, value in record.items() if value in (None, "") and key not in optional]


def _placeholder(field: str) -> str:
    return {"category": "mixed", "generator": "other"}.get(field, _PLACEHOLDER)


def _print_sample(
    entry: SourceEntry, git_root: Path | None, manifest: Path | None, count: int, out: Path
) -> SourceSample:
    """Print the properties of a sample of the source, and draw its contact sheet into `out`."""
    from ..data.build import select_files
    from ..data.git_objects import locate
    from ..data.sheet import draw, sample_source
    from .data_tables import show_look
    from .output import destination

    git_dir = locate(entry.repo, entry.commit, git_root or Path(_CLONES), may_clone=git_root is None)
    look = sample_source(entry, select_files(entry, git_dir, manifest), git_dir, count)
    show_look(entry, look)
    with destination(out) as stream:
        draw(look).save(stream, "PNG")
    click.echo(f"contact sheet: {out}", err=True)
    return look
