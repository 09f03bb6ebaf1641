"""Determines the class and split of an image from its folders.

    ai/... and real/...                         split on import
    train|val|test / ai|real / ...              its own splits ("valid" and "validation" are val)
"fake" means ai; case and an enclosing folder are ignored. A folder below the class names
the generator or the origin: ai/some-generator/1.png.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import DataError

LABELS = {"ai": "ai", "fake": "ai", "real": "real"}
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
# Held-out images come first, so that of a pair across splits the training image is dropped.
ORDER = ("test", "val", "train", None)


@dataclass(frozen=True, slots=True)
class Place:
    label: str  # "ai" or "real"
    split: str | None  # "train", "val" or "test"; None if the folders name none
    origin: str | None  # folder below the class folder


def arrange(names: Iterable[str], where: str) -> tuple[list[tuple[str, Place]], list[str]]:
    """File names with "/" between their parts -> [(name, place)] in ORDER, then by name; names without a place.

    Hidden files and those of operating systems are ignored. Raises DataError, which
    begins with `where`, if the layout is unknown or mixed.
    """
    parts = {name: PurePosixPath(name).parts for name in names}
    parts = {name: path for name, path in parts.items() if not _is_litter(path)}
    depth = _wrapper_depth(parts.values())
    places = {name: _place(path[depth:-1]) for name, path in parts.items()}
    placed = [(name, place) for name, place in places.items() if place is not None]
    if not placed:
        raise DataError(
            f"{where}: no images in class folders; expected ai/ and real/, "
            "or train/, val/ and test/ with ai/ and real/ (or fake/ and real/) in each"
        )
    if len({place.split is None for _, place in placed}) == 2:
        one = next(name for name, place in placed if place.split is None)
        raise DataError(
            f"{where}: {one} is outside train/, val/ and test/, other images are inside; use one layout"
        )
    placed.sort(key=lambda pair: (ORDER.index(pair[1].split), pair[0]))
    return placed, sorted(name for name, place in places.items() if place is None)


def _is_litter(path: tuple[str, ...]) -> bool:
    return (
        any(part.startswith(".") and part != ".." for part in path)
        or path[-1:] == ("Thumbs.db",)
        or ("__MACOSX" in path)
    )


def _wrapper_depth(paths: Iterable[tuple[str, ...]]) -> int:
    """The number of enclosing folders that all files share and that name neither class nor split."""
    folders = [path[:-1] for path in paths if len(path) > 1]
    depth = 0
    while True:
        names = {path[depth] if len(path) > depth else "" for path in folders}
        if len(names) != 1 or (name := names.pop()) == "" or name.lower() in LABELS.keys() | SPLITS.keys():
            return depth
        depth += 1


def _place(folders: tuple[str, ...]) -> Place | None:
    split = SPLITS.get(folders[0].lower()) if folders else None
    inner = folders[1:] if split else folders
    label = LABELS.get(inner[0].lower()) if inner else None
    if label is None:
        return None
    return Place(label, split, inner[1] if len(inner) > 1 else None)
