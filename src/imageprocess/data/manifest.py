"""The manifest: which public repositories hold the pictures, read from sources.json beside this file.

id, repo, commit        the source: repository "owner/name" on GitHub, at this commit
include, exclude        regular expressions on the path in the tree of `commit`
blobs                   a file below blobs/: blob id TAB path, one a line; where present it replaces the expressions
keep_paths, drop_paths  path lists that narrow either
label                   "ai" or "real"; real = not made by an AI: photographs, human art, graphics, scans, CG
generator / origin      who made it; category: what it shows
cap                     at most so many files, chosen by a fixed seed
grid                    [columns, rows]: the file is a contact sheet and is split
crop, crop_edges        [left, top, right, bottom] or {"bottom": n} in pixels: captions, logos and bars cut off
min_side                smaller pictures are dropped
group                   a regular expression on the path whose capture names the prompt (or burst): pictures of one
                        group never lie in two splits. "(^)" makes the whole source one group
split                   "train" (split further into train, val, test) or "open_test" (measures only)
licence, permissive     as found, and whether it is a stated permissive one for the pictures
count, notes            as found when the manifest was made
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from ..errors import DataError

BUILT_IN = "sources.json"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One source of the manifest; the fields are described above."""

    id: str
    label: Literal["ai", "real"]
    repo: str
    commit: str
    split: Literal["train", "open_test"]
    category: str
    licence: str
    permissive: bool
    origin: str  # the generator of AI pictures, the origin of real ones
    min_side: int
    cap: int | None
    include: str | None
    exclude: str | None
    blobs: str | None
    keep_paths: frozenset[str] | None
    drop_paths: frozenset[str]
    grid: tuple[int, int] | None
    crop: tuple[int, int, int, int] | None
    crop_edges: dict[str, int]
    group: str | None

    def takes(self, path: str) -> bool:
        """Whether a path of the repository belongs to this source (when no blob list is given)."""
        if self.include is not None and not re.search(self.include, path):
            return False
        return self.exclude is None or not re.search(self.exclude, path)

    def narrows(self, path: str) -> bool:
        """Whether a path survives keep_paths and drop_paths."""
        return (self.keep_paths is None or path in self.keep_paths) and path not in self.drop_paths

    def group_of(self, path: str) -> str | None:
        """The prompt group, unique over the manifest; None where the source names none."""
        if self.group is None:
            return None
        match = re.search(self.group, path)
        return f"{self.repo}:{match.group(1) or self.id}" if match else None


def load_manifest(path: Path | None = None) -> list[SourceEntry]:
    """The manifest at `path`, or the one that ships. Raises DataError that names the entry and the field."""
    try:
        text = path.read_text("utf-8") if path else _resource(BUILT_IN)
        entries = [dict(entry) for entry in json.loads(text)["sources"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path or BUILT_IN}: not a manifest ({error!r})") from error
    return [_parse(entry, str(path or BUILT_IN)) for entry in entries]


def read_blob_list(entry: SourceEntry, manifest: Path | None = None) -> list[tuple[str, str]]:
    """[(blob id, path)] of a source with a blob list, which lies beside its manifest."""
    assert entry.blobs is not None
    text = (
        (manifest.parent / "blobs" / entry.blobs).read_text("utf-8")
        if manifest
        else _resource("blobs", entry.blobs)
    )
    pairs = (line.split("\t", 1) for line in text.splitlines() if line)
    return [(blob, path) for blob, path in pairs]


def _resource(*parts: str) -> str:
    return resources.files(__package__).joinpath(*parts).read_text("utf-8")


def _parse(entry: dict[str, Any], where: str) -> SourceEntry:
    try:
        keep = entry.get("keep_paths")
        return SourceEntry(
            id=entry["id"],
            label=_one_of(entry["label"], "ai", "real"),
            repo=entry["repo"],
            commit=entry["commit"],
            split=_one_of(entry["split"], "train", "open_test"),
            category=entry["category"],
            licence=entry["licence"],
            permissive=bool(entry["permissive"]),
            origin=entry.get("generator") or entry.get("origin") or "",
            min_side=int(entry["min_side"] or 0),
            cap=entry["cap"],
            include=entry["include"],
            exclude=entry["exclude"],
            blobs=entry.get("blobs"),
            keep_paths=frozenset(keep) if keep else None,
            drop_paths=frozenset(entry.get("drop_paths") or ()),
            grid=tuple(entry["grid"]) if entry["grid"] else None,
            crop=tuple(entry["crop"]) if entry["crop"] else None,
            crop_edges=dict(entry.get("crop_edges") or {}),
            group=entry.get("group"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: source {entry.get('id', '?')!r} is not complete ({error!r})") from error


def _one_of(value: Any, *allowed: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is not one of {', '.join(allowed)}")
    return value
