"""`imageprocess inspect`: show the metadata of a file, without the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..types import Evidence, ImageFacts

_MAX_CHARACTERS = 300  # of one text; JSON has all of it
_DETAILS = (
    "generator", "model", "prompt", "negative_prompt", "seed", "sampler", "signer", "signed_at", "state",
)  # fmt: skip


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE|-")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Readable text, or everything as JSON.",
)  # fmt: skip
def inspect(file: Path, form: str) -> None:
    """Show the metadata of FILE: generator records, Content Credentials, EXIF, XMP, IPTC and open watermarks.

    The model is not run and no verdict is given. "-" reads standard input. Exit status: 0 success; 1 FILE is not an
    image or cannot be read.
    """
    report = _inspect(file)
    if form == "json":
        click.echo(json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False))
        return
    for line in _lines(report):
        click.echo(line)


def _inspect(file: Path) -> dict[str, Any]:
    import sys

    from .. import sources
    from ..decode import DEFAULT_LIMITS, decode, read_header, sniff
    from ..errors import InputError, UnsupportedFormatError
    from ..provenance.inspection import inspect_file
    from ..report.marks import find_marks, marks_line
    from ..watermark import read_watermarks

    if str(file) == "-":
        source = sources.from_stream(sys.stdin.buffer, "-", max_bytes=DEFAULT_LIMITS.max_bytes)
    else:
        source = sources.to_source(file, max_bytes=DEFAULT_LIMITS.max_bytes)
    data = sources.read(source, max_bytes=DEFAULT_LIMITS.max_bytes)
    kind = sniff(data)
    if kind is None:
        raise UnsupportedFormatError(f"{source.name}: not an image in a supported format")
    pixels = "read"
    facts: ImageFacts | None
    watermarks: list[Evidence]
    try:
        image = decode(data, name=source.name)
        facts, watermarks = image.facts, read_watermarks(image)
    except InputError as error:
        facts, watermarks, pixels = read_header(data), [], str(error)
    report, evidence = inspect_file(data, facts, kind, watermarks)
    marks = find_marks(evidence)
    return {
        "source": source.name,
        "pixels": pixels,
        "marks": marks,
        "marks_line": marks_line(marks),
        **report,
    }


def _lines(report: dict[str, Any]) -> list[str]:
    from ..report.marks import NO_VERDICT
    from ..report.text import escaped

    size = f"{report['width']} x {report['height']} pixels, " if report["width"] else ""
    lines = [
        f"{escaped(report['source'])}: {report['format']}, {size}{report['bytes']:,} bytes",
        report["marks_line"],
    ]
    if "says AI" not in report["marks"].values():
        lines.append(NO_VERDICT)
    if report["pixels"] != "read":
        lines.append(f"The pixels were not analysed: {escaped(report['pixels'])}")
    lines += ["", "What its records say:"] if report["evidence"] else ["", "No record says how it was made."]
    for item in report["evidence"]:
        lines.append(f"  - {item['kind']} ({item['trust']}): {escaped(item['claim'])}")
        detail = item["detail"]
        lines += [f"      {name}: {_truncate(str(detail[name]))}" for name in _DETAILS if name in detail]
    if report["manifests"]:
        lines += ["", "Content Credentials, as written (whether they hold is said above):"]
        by_label = {manifest["label"]: manifest for manifest in report["manifests"]}
        lines += _chain(report["manifests"][0], by_label, 1, set())
    lines += ["", "Texts in the file:"] if report["texts"] else []
    lines += [
        f"  [{text['place']}] {escaped(text['name'])}: {_truncate(text['text'])}" for text in report["texts"]
    ]
    return lines


def _chain(manifest: dict[str, Any], by_label: dict[str, Any], depth: int, visited: set[str]) -> list[str]:
    """The lines of a manifest and, indented below it, of its ingredients."""
    from ..report.text import escaped

    indent = "  " * depth
    statement = {"ai": "made by AI", "ai_edited": "edited with AI", "real": "a camera's capture"}.get(
        manifest["says"]
    )
    lines = [
        f"{indent}{escaped(manifest['claim_generator'] or 'unnamed program')}"
        + (f": {statement}" if statement else "")
    ]
    for name, heading in (
        ("software", "software"),
        ("identities", "identity"),
        ("soft_bindings", "soft binding"),
    ):
        lines += [f"{indent}  {heading}: {escaped(value)}" for value in manifest[name]]
    visited = visited | {manifest["label"]}
    for ingredient in manifest["ingredients"]:
        child = by_label.get(ingredient["manifest"] or "")
        title = f" “{escaped(ingredient['title'])}”" if ingredient["title"] else ""
        lines.append(
            f"{indent}  {escaped(ingredient['relationship'])}{title}"
            + ("" if child else " (no credentials of its own)")
        )
        if child and child["label"] not in visited and depth < 16:
            lines += _chain(child, by_label, depth + 2, visited)
    return lines


def _truncate(text: str) -> str:
    from ..report.text import escaped

    return escaped(text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…")
