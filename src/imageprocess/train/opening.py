"""What a run is shown, as its recipe says."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..data.index import IndexRow
from .dataset import InMemory, Pictures, Shown, in_memory
from .devices import is_first_here, is_follower
from .on_device import OnDevice
from .recipes import NETS, Recipe
from .store import fill_store, keep_deliveries, keep_prepared, pack_store


def open_pictures(
    data: Path,
    training: list[IndexRow],
    validation: list[IndexRow],
    recipe: Recipe,
    *,
    jobs: int,
    packed: bool,
    resized: bool,
    caching: Callable[[int, int], None],
) -> tuple[Shown, Shown]:
    """-> what is trained on and what is held out, prepared as far as it goes."""
    spec = NETS[recipe.net].input
    if not recipe.deliveries:
        return in_memory(
            data,
            training,
            validation,
            spec,
            seed=recipe.seed,
            shift=recipe.shift,
            window=recipe.window,
            jobs=jobs,
            progress=caching,
        )
    deliveries = 0 if recipe.fresh else min(recipe.deliveries, recipe.epochs)
    fill_store(data, training, validation, deliveries=deliveries, jobs=jobs, progress=caching)
    if recipe.fresh:
        keep_prepared(data, training, jobs=jobs, progress=caching)
    if packed and not is_follower():
        pack_store(data, training, validation, deliveries=deliveries, prepared=recipe.fresh)
    if recipe.fresh:
        return _on_device(data, training, validation, recipe, jobs)
    if resized and is_first_here():
        keep_deliveries(data, training, validation, spec, deliveries=deliveries, jobs=jobs, progress=caching)
    pictures = Pictures(
        data,
        training,
        spec,
        seed=recipe.seed,
        deliveries=deliveries,
        window=recipe.window,
        shift=recipe.shift,
        grey_share=recipe.grey_share,
        page_share=recipe.page_share,
        resized=resized,
    )
    return pictures, Pictures(data, validation, spec, resized=resized)


def _on_device(
    data: Path, training: list[IndexRow], validation: list[IndexRow], recipe: Recipe, jobs: int
) -> tuple[OnDevice, InMemory]:
    """The first is still to be loaded."""
    spec = NETS[recipe.net].input
    pictures = OnDevice(
        data, training, spec, seed=recipe.seed, grey_share=recipe.grey_share, page_share=recipe.page_share
    )
    shown = Pictures(data, validation, spec)
    with ThreadPoolExecutor(jobs) as pool:
        held_out = np.stack([pixels for pixels, _ in pool.map(shown.__getitem__, range(len(shown)))])
    return pictures, InMemory(held_out, validation, spec)
