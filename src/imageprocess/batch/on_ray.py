"""The Ray engine (Ray Data, extra [batch]). The only module that imports ray.

Inputs are processed in windows, so that the driver needs little memory however long the job is. In each window,
reading tasks turn pieces (names, or a shard) into inputs, and a pool of actors, each with the model loaded, turns these
into rows. Rows arrive in input order, and the driver commits them as those of the local engine.

An actor requests half a core although it uses a whole one. This leaves room for the readers, without which the actors
would deadlock, and lets the actors of a lost node move to others. Work lost with a node is repeated from the inputs
that the driver still has.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..extras import require_extra
from .inputs import Item, Shard, flatten
from .score import Scorer, Task

_PIECE = 64  # image names per reading task; a shard is one task
_WINDOW = 512  # pieces: 32,768 images, or 512 shards
_BATCH = 16
_ACTORS_PER_READER = 4  # an actor consumes about 20 MB/s (docs/scale.md)
_ACTOR_CPUS = 0.5
_READER_CPUS = 0.25  # must differ from the actors', or Ray Data fuses the two operators


def score_on_ray(items: Iterator[Item], task: Task, *, actors: int) -> Iterator[str]:
    """One row per input, in order. `actors`: 0 means one per core of the cluster, less one.

    Uses the cluster at RAY_ADDRESS, or one that the caller is connected to; else starts a local one and stops it at
    the end. Raises MissingExtraError, UsageError.
    """
    with require_extra("batch", "ray[data], which the ray engine needs,"):
        import ray
    was_connected = ray.is_initialized()
    if not was_connected:
        ray.init(log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
    try:
        cores = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
        pieces = _pieces(items)
        while window := list(islice(pieces, _WINDOW)):
            yield from _score_window(window, task, actors or max(1, cores - 1))
    finally:
        if not was_connected:
            ray.shutdown()


def _pieces(items: Iterator[Item]) -> Iterator[list[Item]]:
    piece: list[Item] = []
    for item in items:
        if isinstance(item, Shard):
            if piece:
                yield piece
            yield [item]
            piece = []
            continue
        piece.append(item)
        if len(piece) == _PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def _score_window(window: list[list[Item]], task: Task, actors: int) -> Iterator[str]:
    import ray
    from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy

    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False  # the command shows its own progress
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    pieces = [{"piece": pickle.dumps(piece)} for piece in window]
    folder = Path.cwd()
    readers = TaskPoolStrategy(max(1, actors // _ACTORS_PER_READER))
    inputs = ray.data.from_items(pieces, override_num_blocks=len(pieces)).map_batches(
        _Reader(task.max_bytes, folder), batch_size=1, num_cpus=_READER_CPUS, compute=readers
    )
    rows = inputs.map_batches(
        _Actor,
        fn_constructor_args=(task, folder),
        batch_size=_BATCH,
        num_cpus=_ACTOR_CPUS,
        compute=ActorPoolStrategy(size=actors),
    )
    for batch in rows.iter_batches(batch_size=None, prefetch_batches=1):
        yield from (str(row) for row in batch["row"])


class _Reader:
    """Turns a piece into its inputs, pickled, a few at a time."""

    def __init__(self, max_bytes: int, folder: Path) -> None:
        self._max_bytes = max_bytes
        self._folder = folder

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, list[bytes]]]:
        _change_folder(self._folder)
        for piece in batch["piece"]:
            inputs = flatten(pickle.loads(piece), max_bytes=self._max_bytes)
            while chunk := [pickle.dumps(item) for item in islice(inputs, _BATCH)]:
                yield {"input": chunk}


class _Actor:
    """Holds a loaded model on one core of the cluster."""

    def __init__(self, task: Task, folder: Path) -> None:
        _change_folder(folder)
        self._scorer = Scorer(task)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        return {"row": self._scorer.score([pickle.loads(item) for item in batch["input"]])}


def _change_folder(folder: Path) -> None:
    """Change to the driver's working directory, if this node has it, so that relative names resolve."""
    with contextlib.suppress(OSError):
        os.chdir(folder)
