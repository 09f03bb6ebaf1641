"""index.csv: one row per image of a data set."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

from ..errors import DataError
from ..files import replacing

_Item = TypeVar("_Item")
INDEX_NAME = "index.csv"
SPLITS = ("train", "val", "test", "open_test")
UNLABELLED = "unlabelled"  # the split of images without a label (`data.unlabelled`)
CLASS_INDEX = {"ai": 0, "real": 1}  # label -> class index, in this order in every model


@dataclass(frozen=True, slots=True)
class IndexRow:
    path: str  # relative to the data set's folder, "/" between parts
    label: str  # "ai" or "real"; "" in the split UNLABELLED
    source: str
    origin: str  # the generator of an AI image, the origin of a real one
    category: str  # one of CATEGORIES; "unknown" in imported sets
    licence: str
    sha256: str  # of the file
    bytes: int
    width: int  # pixels
    height: int
    format: str
    jpeg_quality: int | None  # estimated from the quantisation tables
    split: str  # one of SPLITS, or UNLABELLED
    group: str  # images of one group are always in the same split
    generator: str = ""  # one of GENERATORS; "" for real images and if it is unknown
    test_set: str = ""  # name of the test set, for images of open_test
    private_people: bool = False  # private people can be recognised: excluded from reports


_INTEGERS = {"bytes", "width", "height"}


def read_index(folder: Path, name: str = INDEX_NAME) -> list[IndexRow]:
    """The rows of `folder`/`name`. Raises DataError if it is missing or damaged, naming the line."""
    path = Path(folder) / name
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [
                _row(record, path, number) for number, record in enumerate(csv.DictReader(stream), start=2)
            ]
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: no {name} in it; make one with `imageprocess data build` or `imageprocess data import`"
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def write_index(folder: Path, rows: Sequence[IndexRow], name: str = INDEX_NAME) -> None:
    """Write all rows to a temporary file and rename it."""
    path = Path(folder) / name
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(IndexRow)])
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    with replacing(path, durable=True) as stream:
        stream.write(text.getvalue().encode())


def first_of_each(items: Iterable[_Item], most: int | None, key: Callable[[_Item], Hashable]) -> list[_Item]:
    """At most `most` items of each `key`, the first ones, in order; None: all."""
    counts: Counter[Hashable] = Counter()
    chosen = []
    for item in items:
        counts[key(item)] += 1
        if most is None or counts[key(item)] <= most:
            chosen.append(item)
    return chosen


def source_and_class(row: IndexRow) -> tuple[str, str]:
    """Key of a source within a class: a source of `data import` has both classes."""
    return row.source, row.label


def count_splits(rows: Iterable[IndexRow]) -> dict[str, int]:
    """{split: images} of the splits for training."""
    counts = Counter(row.split for row in rows)
    return {split: counts[split] for split in ("train", "val", "test")}


def smallest_px(rows: Iterable[IndexRow]) -> int:
    """The longer side in pixels of the smallest image: a model trained on `rows` has learnt nothing of smaller ones."""
    return min(max(row.width, row.height) for row in rows)


def data_id(rows: Iterable[IndexRow]) -> str:
    """12 hexadecimal digits that identify these images with their labels and splits, in any order."""
    digest = hashlib.sha256()
    for line in sorted(f"{row.sha256} {row.label} {row.split}\n" for row in rows):
        digest.update(line.encode())
    return digest.hexdigest()[:12]


def rows_id(rows: Iterable[IndexRow]) -> str:
    """12 hexadecimal digits that identify what `data_id` does, and the source and position of each image: results
    stored per image or per source are only valid for the same list."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row.sha256} {row.label} {row.split} {row.source}\n".encode())
    return digest.hexdigest()[:12]


def _row(record: dict[str, str], path: Path, number: int) -> IndexRow:
    try:
        if None in record.values():  # the csv module's sign of a short line
            raise ValueError("a field is missing")
        quality = record["jpeg_quality"]
        private = record.get(
            "private_people", str("private" in record["licence"])
        )  # indexes written by older versions
        if private not in ("True", "False"):
            raise ValueError(f"private_people {private!r} is not True or False")
        own = {"jpeg_quality": int(quality) if quality else None, "private_people": private == "True"}
        values = {k: int(v) if k in _INTEGERS else v for k, v in record.items() if k not in own}
        row = IndexRow(**values, **own)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}, line {number}: invalid row ({error!r}); build or import the set again"
        ) from error
    labelled = row.label in CLASS_INDEX and row.split in SPLITS
    if not labelled and (row.label, row.split) != ("", UNLABELLED):
        raise DataError(f"{path}, line {number}: label {row.label!r} or split {row.split!r} is unknown")
    return row
