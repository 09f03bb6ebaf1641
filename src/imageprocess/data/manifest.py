"""The manifest of image sources (public repositories), read from sources.json beside this file.

id, repo, commit        the source: repository "owner/name" on GitHub, at this commit
include, exclude        regular expressions on the path in the tree of `commit`; of files that are named as pictures
blobs                   of pictures that only the history of the repository holds: a file below blobs/ beside the
                        manifest, blob id TAB path, one a line; where present it replaces the expressions
keep_paths, drop_paths  path lists that narrow either
label                   "ai" or "real"; real = not made by an AI: photographs, human art, graphics, scans, CG
generator               of AI pictures: one of GENERATORS; generator_detail: the same in the source's own words
origin                  of real pictures: who made them, with what
category, shows         one of CATEGORIES; what is seen, in a few words
era                     when the pictures were made: "2024", "2019-2021", "before 2012"
cap                     at most so many pictures, chosen by a fixed seed; the build's own default where it is missing
grid                    [columns, rows]: the file is a contact sheet and is split
crop                    [left, top, right, bottom]: pixels cut off each edge (captions, logos, bars)
min_side                smaller pictures are dropped
group                   a regular expression on the path whose capture names the prompt (or burst): pictures of one
                        group never lie in two splits. "(^)" makes the whole source one group
split                   "train" (split further into train, val, test) or "open_test" (measures only)
test_set                of open_test: which of the test sets, so that figures of different times can be compared
licence, permissive     as found, and whether it is a stated permissive one for the pictures
private_people          whether private people can be recognised; such pictures are shown in no report
confidence              one of CONFIDENCES: how sure the label is
count, notes            as found when the entry was made
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from ..errors import DataError
from .categories import CATEGORIES, CONFIDENCES, EDIT, EDIT_SET, GENERATORS
from .reserved import is_reserved

BUILT_IN = "sources.json"
# Default cap of images per source: the accuracy on new sources depends on the number of training sources much more
# than on the number of images of each.
DEFAULT_CAP = 100


_PICTURE_NAME = re.compile(r"\.(avif|bmp|gif|heic|jfif|jpe?g|png|tiff?|webp)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One source of the manifest; the fields are described above."""

    id: str
    label: Literal["ai", "real"]
    repo: str
    commit: str
    split: Literal["train", "open_test"]
    test_set: str  # "" for training sources
    category: str
    shows: str
    generator: str  # "" for real images
    origin: str  # generator_detail for AI images, origin for real ones
    era: str
    licence: str
    permissive: bool
    private_people: bool
    confidence: str
    min_side: int
    cap: int | None
    include: str | None
    exclude: str | None
    blobs: str | None
    keep_paths: frozenset[str] | None
    drop_paths: frozenset[str]
    grid: tuple[int, int] | None
    crop: tuple[int, int, int, int] | None
    group: str | None

    def takes(self, path: str) -> bool:
        """Whether a path is an image of this source (if there is no blob list)."""
        if not _PICTURE_NAME.search(path):
            return False
        if self.include is not None and not re.search(self.include, path):
            return False
        return self.exclude is None or not re.search(self.exclude, path)

    def narrows(self, path: str) -> bool:
        """Whether keep_paths and drop_paths admit a path."""
        return (self.keep_paths is None or path in self.keep_paths) and path not in self.drop_paths

    def group_of(self, path: str) -> str | None:
        """The prompt group, unique within the manifest; None if the source defines none."""
        if self.group is None:
            return None
        match = re.search(self.group, path)
        return f"{self.repo}:{match.group(1) or self.id}" if match else None


def load_manifest(path: Path | None = None) -> list[SourceEntry]:
    """The manifest at `path`, or the shipped one. Raises DataError that names the entry and the field."""
    try:
        text = path.read_text("utf-8") if path else _resource(BUILT_IN)
        entries = [dict(entry) for entry in json.loads(text)["sources"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path or BUILT_IN}: not a manifest ({error!r})") from error
    return [parse_entry(entry, str(path or BUILT_IN)) for entry in entries]


def repositories() -> dict[str, str]:
    """Source -> repository, of the shipped manifest."""
    return {entry.id: entry.repo for entry in load_manifest()}


def built_in_file() -> Path:
    """The shipped manifest as a writable file, which it is in a checkout."""
    path = resources.files(__package__).joinpath(BUILT_IN)
    if not isinstance(path, Path):
        raise DataError(
            f"{BUILT_IN} is in an archive and cannot be written; copy it and pass the copy with --manifest"
        )
    return path


def read_blob_list(entry: SourceEntry, manifest: Path | None = None) -> list[tuple[str, str]]:
    """[(blob id, path)] of a source with a blob list. The lists are part of a checkout, not of a wheel."""
    assert entry.blobs is not None
    try:
        text = (
            (manifest.parent / "blobs" / entry.blobs).read_text("utf-8")
            if manifest
            else _resource("blobs", entry.blobs)
        )
    except FileNotFoundError as error:
        raise DataError(
            f"source {entry.id!r}: its list blobs/{entry.blobs} is missing beside the manifest; installed packages "
            "do not contain these lists: build from a checkout of the project"
        ) from error
    pairs = (line.split("\t", 1) for line in text.splitlines() if line)
    return [(blob, path) for blob, path in pairs]


def _resource(*parts: str) -> str:
    return resources.files(__package__).joinpath(*parts).read_text("utf-8")


def parse_entry(entry: dict[str, Any], where: str) -> SourceEntry:
    try:
        source = _read_fields(entry)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{where}: source {entry.get('id', '?')!r}: {reason}") from error
    if is_reserved(source.repo):
        raise DataError(
            f"{where}: source {source.id!r}: {source.repo} is reserved for independent evaluations; "
            "remove the entry"
        )
    return source


def _read_fields(entry: dict[str, Any]) -> SourceEntry:
    label = _one_of("label", entry["label"], ("ai", "real"))
    split = _one_of("split", entry["split"], ("train", "open_test"))
    keep = entry.get("keep_paths")
    grid, crop = entry.get("grid"), entry.get("crop")
    source = SourceEntry(
        id=entry["id"],
        label=label,
        repo=entry["repo"],
        commit=entry["commit"],
        split=split,
        test_set=_test_set(entry) if split == "open_test" else "",
        category=_one_of("category", entry["category"], CATEGORIES),
        shows=entry["shows"],
        generator=_one_of("generator", entry["generator"], tuple(GENERATORS)) if label == "ai" else "",
        origin=entry["generator_detail" if label == "ai" else "origin"],
        era=str(entry["era"]),
        licence=entry["licence"],
        permissive=bool(entry["permissive"]),
        private_people=bool(entry["private_people"]),
        confidence=_one_of("confidence", entry["confidence"], CONFIDENCES),
        min_side=int(entry["min_side"]),
        cap=entry.get("cap"),
        include=entry.get("include"),
        exclude=entry.get("exclude"),
        blobs=entry.get("blobs"),
        keep_paths=frozenset(keep) if keep else None,
        drop_paths=frozenset(entry.get("drop_paths") or ()),
        grid=(int(grid[0]), int(grid[1])) if grid else None,
        crop=(int(crop[0]), int(crop[1]), int(crop[2]), int(crop[3])) if crop else None,
        group=entry.get("group"),
    )
    if source.category == EDIT and label != "ai":
        raise ValueError("category 'edit' is for edits by an AI: the label must be 'ai'")
    for field in ("include", "exclude", "group"):
        _check_expression(field, getattr(source, field))
    return source


def _test_set(entry: dict[str, Any]) -> str:
    name = str(entry["test_set"])
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"test_set {name!r} is not a name of lower-case letters, digits and underscores")
    if (name == EDIT_SET) != (entry["category"] == EDIT):
        raise ValueError(f"test_set {name!r}: {EDIT_SET!r} is the test set of edits, and of no others")
    return name


def _check_expression(field: str, expression: str | None) -> None:
    try:
        re.compile(expression or "")
    except re.error as error:
        raise ValueError(f"{field} {expression!r} is not a regular expression ({error})") from error


def _one_of(field: str, value: Any, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"{field} {value!r} is not one of {', '.join(allowed)}")
    return value
