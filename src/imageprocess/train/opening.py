"""The images of a run, prepared as its recipe says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..data.index import IndexRow
from .dataset import Images, Pictures, in_memory
from .devices import is_first_here
from .recipes import NETS, Recipe
from .store import fill_store, keep_deliveries


def open_pictures(
    data: Path,
    training: list[IndexRow],
    validation: list[IndexRow],
    recipe: Recipe,
    *,
    jobs: int,
    resized: bool,
    caching: Callable[[int, int], None],
) -> tuple[Images, Images]:
    """-> the training set and the validation set."""
    spec = NETS[recipe.net].input
    if not recipe.deliveries:
        return in_memory(
            data,
            training,
            validation,
            spec,
            seed=recipe.seed,
            shift=recipe.shift,
            jobs=jobs,
            progress=caching,
        )
    deliveries = min(recipe.deliveries, recipe.epochs)
    fill_store(data, training, validation, deliveries=deliveries, jobs=jobs, progress=caching)
    if resized and is_first_here():
        keep_deliveries(data, training, validation, spec, deliveries=deliveries, jobs=jobs, progress=caching)
    pictures = Pictures(
        data, training, spec, seed=recipe.seed, deliveries=deliveries, shift=recipe.shift, resized=resized
    )
    return pictures, Pictures(data, validation, spec, resized=resized)
