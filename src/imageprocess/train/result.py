"""The result of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.index import IndexRow, count_splits, data_id, smallest_px
from .nets import Network
from .recipes import Recipe


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What model.json says of the data that a network was trained on; the fields are its keys."""

    data_id: str
    images: dict[str, int]  # split -> images
    smallest_px: int  # the longer side of the smallest training image

    @classmethod
    def of(cls, rows: Sequence[IndexRow]) -> DataFacts:
        training = [row for row in rows if row.split == "train"]
        return cls(data_id(rows), count_splits(rows), smallest_px(training))


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    recipe: Recipe
    data: DataFacts
    log: list[dict[str, float]]  # one row an epoch
    best_epoch: int  # 1 = the first
    val_logits: NDArray[np.float32]  # (N, 2), of the best epoch
    val_labels: NDArray[np.int64]  # (N,)
    network: Network  # with the weights of the best epoch, on the CPU
    teacher: dict[str, Any] | None = None  # `Teacher.facts`

    def facts(self) -> dict[str, Any]:
        """`training` of model.json."""
        return {
            **asdict(self.data),
            "recipe": self.recipe.to_dict(),
            "best_epoch": self.best_epoch,
            "log": self.log,
            **({"teacher": self.teacher} if self.teacher else {}),
        }
