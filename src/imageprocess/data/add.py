"""A new entry of a manifest file, checked before it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import replacing
from .categories import HELD_OUT_GENERATORS
from .manifest import SourceEntry, load_manifest, parse_entry


def check_new(record: dict[str, Any], manifest: Path) -> SourceEntry:
    """The entry that `record` describes.

    Raises DataError if a field is invalid or the repository is reserved; UsageError if the manifest already has its id,
    the same files of the repository, or the repository in the other split.
    """
    entry = parse_entry(record, str(manifest))
    if generator := held_out_generator(entry):
        raise UsageError(f"{manifest}: {generator} is a held-out generator; choose --split open_test")
    for known in load_manifest(manifest):
        if known.id == entry.id:
            raise UsageError(f"{manifest}: source {entry.id!r} exists; choose another --id")
        if known.repo.lower() != entry.repo.lower():
            continue
        if (known.include, known.exclude) == (entry.include, entry.exclude):
            raise UsageError(f"{manifest}: source {known.id!r} includes the same files of {entry.repo}")
        if known.label == entry.label and known.split != entry.split:
            raise UsageError(
                f"{manifest}: source {known.id!r} has {entry.repo} in {known.split}; a repository cannot be in both "
                f"splits: use --split {known.split}"
            )
    return entry


def held_out_generator(entry: SourceEntry) -> str | None:
    """The generator of HELD_OUT_GENERATORS that a training source contains; None for others and for open_test."""
    if entry.split == "open_test":
        return None
    return next((name for name in HELD_OUT_GENERATORS if name.lower() in entry.origin.lower()), None)


def append(record: dict[str, Any], manifest: Path) -> None:
    """Append the record to the manifest, which is replaced atomically."""
    content = json.loads(manifest.read_text("utf-8"))
    content["sources"].append(record)
    with replacing(manifest) as stream:
        stream.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
