"""Reads the images to measure, and what is known about each, from a data set or a folder with ai/ and real/."""

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

_EDITED = ("photo", "portrait")  # categories of real images that are measured together with the edits
_DEFAULT_SPLITS = ("open_test", "test")  # the first that exists is the default


@dataclass(frozen=True, slots=True)
class Picture:
    path: Path
    is_ai: bool
    source: str  # images of one source are not independent
    origin: str  # the generator of an AI image, the origin of a real one
    category: str  # one of CATEGORIES or UNKNOWN
    generator: str = ""  # family of the generator of an AI image, or its origin if the family is unknown
    may_show: bool = True  # False if the data set says that it shows private people


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str  # the folder's name
    split: str  # "" for a folder without splits
    id: str  # 12 hexadecimal digits
    pictures: tuple[Picture, ...]


def read_dataset(folder: Path, split: str | None = None, *, per_source: int | None = None) -> Dataset:
    """The images of one split: `split`, by default open_test if there is one, else test, else a folder without splits.

    `split` may be one of the test sets of open_test. AI edits are measured separately: they are not part of open_test,
    and their test set includes its real photographs and portraits. `per_source`: maximum number of images per source,
    the first ones.

    Raises DataError if the folder has no such split, or only one of the two classes.
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
    """The splits of `folder`, in the order train, val, test, open_test; [] for a folder without splits."""
    if (folder / INDEX_NAME).is_file():
        splits = {record.get("split") for record in _records(folder / INDEX_NAME)}
        return [split for split in SPLITS if split in splits]
    splits = {place.split or "" for _, place in _placed(folder)}
    return [split for split in SPLITS if split in splits]


def open_test_sets(folder: Path) -> list[str]:
    """The names of the test sets of open_test, that of the edits last."""
    index = folder / INDEX_NAME
    names = {record.get("test_set") or "" for record in _records(index)} if index.is_file() else set()
    return sorted(names - {""}, key=lambda name: (name == EDIT_SET, name))


def _is_of(record: Mapping[str, str], chosen: str) -> bool:
    split, test_set = record.get("split") or "", record.get("test_set") or ""
    if chosen == EDIT_SET and test_set != EDIT_SET:
        return split == "open_test" and record["label"] == "real" and record.get("category") in _EDITED
    return test_set == chosen or (split == chosen and test_set != EDIT_SET)


def _choose(folder: Path, split: str | None) -> str:
    splits = splits_of(folder)
    test_sets = open_test_sets(folder)
    if split is not None and split in test_sets:
        return split
    if split is None:
        split = next((name for name in _DEFAULT_SPLITS if name in splits), "" if not splits else None)
    if split is None or (split and split not in splits):
        missing = split or " or ".join(_DEFAULT_SPLITS)
        available = ", ".join(splits + test_sets) or "none"
        raise DataError(f"{folder}: no split {missing}; choose another with --split (there: {available})")
    return split


def _records(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _read_indexed(folder: Path, split: str | None) -> Dataset:
    """A data set with a full index, or with a short one of path and label, and optionally source and split."""
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
        index = labels.index(None)
        label = records[index]["label"]
        raise DataError(
            f"{folder / INDEX_NAME}, line {index + 2}: label {label!r} is none of {', '.join(LABELS)}"
        )
    pictures = tuple(
        Picture(folder / record["path"], label == "ai", source, source, UNKNOWN)
        for record, label in zip(records, labels, strict=True)
        if _is_of(record, chosen) and (source := record.get("source") or UNKNOWN)
    )
    return Dataset(folder.name, chosen, _hash_files(pictures), pictures)


def picture_of(folder: Path, row: IndexRow) -> Picture:
    """The image of a row of the index of `folder`."""
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
    """A folder in a layout of `data import`; the source is the folder inside that of the class, if any."""
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
    """The equivalent of `data_id` for a data set without a full index, from the content of the files."""
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
