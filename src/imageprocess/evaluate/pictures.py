"""Which pictures are measured, and what is known of each: a built data set, or a plain ai | real folder."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..data.categories import CATEGORIES, EDIT_SET, GENERATORS, UNKNOWN
from ..data.index import INDEX_NAME, SPLITS, IndexRow, data_id, first_of_each, read_index
from ..data.layout import LABELS, Place, arrange
from ..errors import DataError

_EDITED = ("photo", "portrait")  # what the real pictures beside edits show
# Tried in this order when no split is asked for.
_DEFAULT_SPLITS = ("open_test", "test")


@dataclass(frozen=True, slots=True)
class Picture:
    path: Path
    is_ai: bool
    source: str  # pictures of one source do not count as independent
    origin: str  # the generator of an AI picture, the origin of a real one
    category: str  # one of CATEGORIES or UNKNOWN
    generator: str = ""  # the family of an AI picture's generator, or its origin where no family is known
    may_show: bool = True  # False where the data set says that it shows private people


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str  # the folder's name
    split: str  # "" for a folder without splits
    id: str  # 12 hexadecimal digits
    pictures: tuple[Picture, ...]


def read_dataset(folder: Path, split: str | None = None, *, per_source: int | None = None) -> Dataset:
    """The pictures of one split: `split`, or open_test where there is one, else test, else a folder without splits.

    `split` may name one of the test sets of open_test. The edits are measured apart: they are no part of open_test, and
    their own set holds its real photographs and portraits beside them. `per_source`: at most so many pictures of each
    source, the first ones.

    Raises DataError where the folder holds no such split, or only one of the two classes.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    read = _read_indexed if (folder / INDEX_NAME).is_file() else _read_folders
    dataset = read(folder, split)
    limited = first_of_each(dataset.pictures, per_source, lambda picture: (picture.source, picture.is_ai))
    dataset = replace(dataset, pictures=tuple(limited))
    classes = {picture.is_ai for picture in dataset.pictures}
    if classes != {True, False}:
        missing = "ai" if True not in classes else "real"
        raise DataError(
            f"{folder}: no {missing} pictures in {dataset.split or 'it'}; an evaluation needs both classes"
        )
    return dataset


def splits_of(folder: Path) -> list[str]:
    """The splits that `folder` holds, in the order train, val, test, open_test; none for a folder without splits."""
    if (folder / INDEX_NAME).is_file():
        splits = {record.get("split") for record in _records(folder / INDEX_NAME)}
        return [split for split in SPLITS if split in splits]
    splits = {place.split or "" for _, place in _placed(folder)}
    return [split for split in SPLITS if split in splits]


def open_test_sets(folder: Path) -> list[str]:
    """The names of the test sets within open_test, the edits last."""
    index = folder / INDEX_NAME
    names = {record.get("test_set") or "" for record in _records(index)} if index.is_file() else set()
    return sorted(names - {""}, key=lambda name: (name == EDIT_SET, name))


def _is_of(record: Mapping[str, str], chosen: str) -> bool:
    split, test_set = record.get("split") or "", record.get("test_set") or ""
    if chosen == EDIT_SET and test_set != EDIT_SET:
        return split == "open_test" and record["label"] == "real" and record.get("category") in _EDITED
    return test_set == chosen or (split == chosen and test_set != EDIT_SET)


def _choose(folder: Path, split: str | None) -> str:
    there = splits_of(folder)
    sets = open_test_sets(folder)
    if split is not None and split in sets:
        return split
    if split is None:
        split = next((name for name in _DEFAULT_SPLITS if name in there), "" if not there else None)
    if split is None or (split and split not in there):
        wanted = split or " or ".join(_DEFAULT_SPLITS)
        raise DataError(f"{folder}: no split {wanted} (there: {', '.join(there + sets) or 'none'})")
    return split


def _records(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _read_indexed(folder: Path, split: str | None) -> Dataset:
    """A full index, or a short one that has path and label, and perhaps source and split."""
    chosen = _choose(folder, split)
    records = _records(folder / INDEX_NAME)
    if not records or not {"path", "label"} <= records[0].keys():
        raise DataError(f"{folder / INDEX_NAME}: no rows, or no columns path and label")
    if "sha256" in records[0]:
        rows = read_index(folder)
        pictures = tuple(picture_of(folder, row) for row in rows if _is_of(asdict(row), chosen))
        return Dataset(folder.name, chosen, data_id(rows), pictures)
    labels = [LABELS.get((record["label"] or "").lower()) for record in records]
    if None in labels:
        place = labels.index(None)
        raise DataError(
            f"{folder / INDEX_NAME}, line {place + 2}: label {records[place]['label']!r} is none of {', '.join(LABELS)}"
        )
    pictures = tuple(
        Picture(folder / record["path"], label == "ai", source, source, UNKNOWN)
        for record, label in zip(records, labels, strict=True)
        if _is_of(record, chosen) and (source := record.get("source") or UNKNOWN)
    )
    return Dataset(folder.name, chosen, _hash_files(pictures), pictures)


def picture_of(folder: Path, row: IndexRow) -> Picture:
    """What a row of the index of `folder` says of its picture."""
    return Picture(
        path=folder / row.path,
        is_ai=row.label == "ai",
        source=row.source,
        origin=row.origin or row.source,
        category=row.category if row.category in CATEGORIES else UNKNOWN,
        generator=GENERATORS.get(row.generator, row.origin or row.source) if row.label == "ai" else "",
        may_show=not row.private_people,
    )


def _read_folders(folder: Path, split: str | None) -> Dataset:
    """The layouts that `data import` knows; the source is the folder below the class's, if any."""
    chosen = _choose(folder, split)
    pictures = tuple(
        Picture(
            folder / name,
            place.label == "ai",
            place.origin or place.label,
            place.origin or place.label,
            UNKNOWN,
        )
        for name, place in _placed(folder)
        if (place.split or "") == chosen
    )
    return Dataset(folder.name, chosen, _hash_files(pictures), pictures)


def _placed(folder: Path) -> list[tuple[str, Place]]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return arrange(names, str(folder))[0]


def _hash_files(pictures: tuple[Picture, ...]) -> str:
    """What `data_id` is to an indexed data set, from the files themselves."""
    digest = hashlib.sha256()
    lines = []
    for picture in pictures:
        try:
            sha256 = hashlib.sha256(picture.path.read_bytes()).hexdigest()
        except OSError as error:
            raise DataError(f"{picture.path}: cannot be read ({error})") from error
        lines.append(f"{sha256} {picture.is_ai}\n")
    for line in sorted(lines):
        digest.update(line.encode())
    return digest.hexdigest()[:12]
