"""The samples of a run, as its recipe defines them.

index.csv -> rows of a split -> degraded copy (samples.cache) -> resize, mirror, shift (samples.dataset)
-> batch (N, H, W, 3) uint8 -> samples.pixels.to_input -> (N, 3, H, W) float32 -> network (loop)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..data.index import IndexRow
from ..errors import DataError
from .devices import is_first_on_machine
from .recipes import NETS, Recipe
from .samples.cache import cache_copies
from .samples.dataset import DegradedSamples, Samples, read_into_memory
from .samples.options import LoaderOptions, Progress
from .samples.resized import cache_all_resized


def open_samples(
    data: Path,
    training: list[IndexRow],
    validation: list[IndexRow],
    recipe: Recipe,
    loader: LoaderOptions,
    progress: Progress,
) -> tuple[Samples, Samples]:
    """-> training samples, validation samples. Fills the caches first; `progress` reports on that."""
    spec, jobs = NETS[recipe.net].input, loader.jobs
    if not recipe.degraded_copies:
        return read_into_memory(
            data, training, validation, spec,
            seed=recipe.seed, max_shift=recipe.shift, jobs=jobs, progress=progress,
        )  # fmt: skip
    copies = min(recipe.degraded_copies, recipe.epochs)
    cache_copies(data, training, validation, copies=copies, jobs=jobs, progress=progress)
    if loader.resized and is_first_on_machine():
        cache_all_resized(data, training, validation, spec, copies=copies, jobs=jobs, progress=progress)
    train_samples = DegradedSamples(
        data, training, spec,
        seed=recipe.seed, copies=copies, max_shift=recipe.shift, resized=loader.resized,
    )  # fmt: skip
    return train_samples, DegradedSamples(data, validation, spec, resized=loader.resized)


def split_rows(
    data: Path, rows: Sequence[IndexRow], *, both_classes_in_validation: bool
) -> tuple[list[IndexRow], list[IndexRow]]:
    """-> rows to train on, rows to choose the epoch by. Raises DataError if a split or a class in it is missing."""
    training = [row for row in rows if row.split == "train"]
    validation = [row for row in rows if row.split == "val"]
    if not training or not validation:
        raise DataError(
            f"{data}: training needs a train and a val split; the index has {len(training)} and {len(validation)} "
            "images in them"
        )
    for part in (training, validation) if both_classes_in_validation else (training,):
        labels = {row.label for row in part}
        if len(labels) == 1:
            raise DataError(
                f"{data}: all {part[0].split} images are {labels.pop()}; training needs both classes there"
            )
    return training, validation
