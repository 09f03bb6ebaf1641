"""Scores images x tiers x models. Images are streamed through worker processes; only numbers stay in memory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.audit import FEATURES, to_features
from ..data.facts import read_facts
from ..data.tiers import apply_tier, open_original
from ..errors import CrashedError, InputError
from .pictures import Picture
from .scorers import Scorer, open_scorer

Progress = Callable[[int, int], None]  # (images done, total)
_SIDES = [FEATURES.index("width"), FEATURES.index("height")]
_QUEUED_PER_WORKER = 4  # images: enough that no worker waits, few enough that a broken pool loses little


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The scores of every model for every image on every tier. Images that do not decode have NaN everywhere."""

    tiers: tuple[str, ...]
    scores: NDArray[np.float64]  # (models, tiers, N) probability_ai
    file_facts: NDArray[np.float64]  # (tiers, N, columns)
    sizes: NDArray[np.float64]  # (N, 2) width, height of the originals in pixels
    failed: dict[int, str]  # index of the image -> reason

    @property
    def is_complete(self) -> NDArray[np.bool_]:
        """(N,) mask of the images that every model scored on every tier."""
        mask = ~np.isnan(self.sizes[:, 0])
        if self.scores.size:
            mask &= ~np.isnan(self.scores).any(axis=(0, 1))
        return mask

    @property
    def sides(self) -> NDArray[np.float64]:
        """(tiers, N) the longer side of each degraded copy in pixels."""
        return np.asarray(self.file_facts[..., _SIDES].max(axis=-1))

    def with_model(self, scores: NDArray[np.float64], name: str) -> Scores:
        """These scores and those of another model (tiers, N); images that it did not score count as failed."""
        missing = np.flatnonzero(np.isnan(scores).any(axis=0))
        failed = {int(index): f"{name} gives no score" for index in missing} | self.failed
        return replace(self, scores=np.concatenate([self.scores, scores[None]]), failed=failed)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    index: int
    size: tuple[int, int] = (0, 0)
    scores: NDArray[np.float64] | None = None  # (models, tiers)
    file_facts: NDArray[np.float64] | None = None  # (tiers, columns)
    failure: str = ""


def score(
    pictures: Sequence[Picture],
    models: Sequence[Path],
    tiers: Sequence[str],
    *,
    jobs: int = 2,
    progress: Progress = lambda done, total: None,
) -> Scores:
    """Score every image on every tier with every model folder.

    Images that cannot be read are in `failed`. Raises ModelError if a model cannot be loaded, CrashedError if a worker
    dies.
    """
    count = len(pictures)
    scores = np.full((len(models), len(tiers), count), np.nan)
    facts = np.full((len(tiers), count, len(FEATURES)), np.nan)
    sizes = np.full((count, 2), np.nan)
    failed: dict[int, str] = {}
    for done, row in enumerate(_rows(pictures, models, tuple(tiers), jobs), start=1):
        if row.scores is None or row.file_facts is None:
            failed[row.index] = row.failure
        else:
            scores[:, :, row.index] = row.scores
            facts[:, row.index] = row.file_facts
            sizes[row.index] = row.size
        progress(done, count)
    return Scores(tuple(tiers), scores, facts, sizes, failed)


def _rows(
    pictures: Sequence[Picture], models: Sequence[Path], tiers: tuple[str, ...], jobs: int
) -> Iterator[_Row]:
    work = iter((index, picture.path) for index, picture in enumerate(pictures))
    if jobs == 1:
        scorers = [open_scorer(folder) for folder in models]
        yield from (_score_one(index, path, scorers, tiers) for index, path in work)
        return
    for folder in models:
        open_scorer(folder)  # a broken model fails here rather than in the pool
    with ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_start, initargs=(tuple(models), tiers)
    ) as pool:
        waiting: set[Future[_Row]] = set()
        try:
            while True:
                free = jobs * _QUEUED_PER_WORKER - len(waiting)
                waiting |= {pool.submit(_score_in_worker, index, path) for index, path in islice(work, free)}
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BrokenProcessPool as error:
            raise CrashedError("a worker died (out of memory?); try --jobs 1") from error
        finally:
            for future in waiting:
                future.cancel()


_worker: tuple[list[Scorer], tuple[str, ...]] = ([], ())


def _start(models: tuple[Path, ...], tiers: tuple[str, ...]) -> None:
    global _worker
    _worker = ([open_scorer(folder) for folder in models], tiers)


def _score_in_worker(index: int, path: Path) -> _Row:
    return _score_one(index, path, *_worker)


def _score_one(index: int, path: Path, scorers: Sequence[Scorer], tiers: tuple[str, ...]) -> _Row:
    try:
        return _score_readable(index, path, scorers, tiers)
    except (OSError, InputError) as error:
        return _Row(index, failure=str(error))


def _score_readable(index: int, path: Path, scorers: Sequence[Scorer], tiers: tuple[str, ...]) -> _Row:
    original = open_original(path.read_bytes(), path.name)
    scores = np.empty((len(scorers), len(tiers)))
    facts = np.empty((len(tiers), len(FEATURES)))
    for column, tier in enumerate(tiers):
        degraded = apply_tier(original, tier)
        facts[column] = to_features(read_facts(degraded.data, name=path.name))
        for line, scorer in enumerate(scorers):
            scores[line, column] = scorer.score([degraded.pixels])[0]
    height, width = original.pixels.shape[:2]
    return _Row(index, (width, height), scores, facts)
