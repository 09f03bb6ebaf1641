"""The table of a teacher: its probability of AI by image, which a network is trained on beside the labels.

`sha256,probability_ai`, one row per image. Any model can be a teacher; `encoder teacher` writes the table of heads on
an encoder, each applied only to sources that it was not trained on.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.index import CLASS_INDEX, IndexRow
from ..errors import DataError
from ..files import replacing
from ..model.registry import file_sha256
from .recipes import Recipe

_COLUMNS = ["sha256", "probability_ai"]


def write_teacher(path: Path, probability_of: Mapping[str, float]) -> None:
    """`probability_of`: sha256 of an image -> probability of AI."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows((sha256, f"{value:.6f}") for sha256, value in probability_of.items())
    with replacing(path) as stream:
        stream.write(text.getvalue().encode())


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A teacher's table, for the images of one training."""

    sha256: str  # of the table
    probability_ai: Tensor  # (N,) float32; NaN: the table does not have the image

    @classmethod
    def open(cls, path: Path, rows: Sequence[IndexRow]) -> Teacher:
        """Raises DataError if the table cannot be read, naming the line, or has none of `rows`."""
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                probability_of = _read(path, csv.DictReader(stream))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}: cannot be read ({error})") from error
        probability = torch.tensor([probability_of.get(row.sha256, math.nan) for row in rows])
        if probability.isnan().all():
            raise DataError(
                f"{path}: has none of the {len(rows)} training images; was it made of other data?"
            )
        return cls(file_sha256(path), probability)

    def facts(self) -> dict[str, Any]:
        """`teacher` of model.json."""
        return {"table_sha256": self.sha256, "images": int((~self.probability_ai.isnan()).sum())}


def _read(path: Path, rows: csv.DictReader[str]) -> dict[str, float]:
    """-> {sha256: probability of AI}, without rows that have none: `detect` writes such rows for unreadable files."""
    if not set(_COLUMNS) <= set(rows.fieldnames or ()):
        raise DataError(f"{path}: no columns {' and '.join(_COLUMNS)} in its first line")
    return {
        row["sha256"]: _probability(row["probability_ai"], path, rows.line_num)
        for row in rows
        if row["probability_ai"]
    }


def _probability(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise DataError(f"{path}, line {line}: probability_ai is {text!r}, not a number from 0 to 1")
    return value


def training_targets(rows: Sequence[IndexRow], recipe: Recipe, teacher: Teacher | None) -> Tensor:
    """-> (N, 2) float32: the class probabilities that the cross entropy of each image is computed with.

    The smoothed label and, with the recipe's teacher_share as weight, the teacher's probabilities (Hinton et al. 2015,
    arXiv 1503.02531); of an image that the teacher's table does not have, the label alone.
    """
    labels = torch.tensor([CLASS_INDEX[row.label] for row in rows])
    targets = nn.functional.one_hot(labels, 2) * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
    if teacher:
        is_ai, share = teacher.probability_ai, recipe.teacher_share
        mixed = (1 - share) * targets + share * torch.stack([is_ai, 1 - is_ai], dim=1)
        targets = torch.where(is_ai.isnan()[:, None], targets, mixed)
    return targets
