"""The work of one worker, local or on a cluster: turns inputs into Results or rows (JSON lines without newline)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..decode import DETECTOR_LIMITS, Limits
from ..detector import Detector
from ..report.records import to_json
from ..types import Check, Mode, Result, Source
from .inputs import Input

_CACHED_RESULTS = 2_000  # per worker, a few kilobytes each
_READERS = 8  # URIs read at a time: the work is I/O-bound


@dataclass(frozen=True, slots=True)
class Task:
    """The options of a job, small enough to be sent to every worker."""

    model: str | None = None  # name of a model, or a model folder
    mode: Mode = "balanced"
    threshold: float | None = None
    only: tuple[Check, ...] | None = None
    limits: Limits = DETECTOR_LIMITS
    heatmap: bool = False  # in Results only, not in rows
    explain: bool = False  # analyses re-saved copies too, see model/looks.py
    reuse: bool = True  # identical files get the result of the first

    @property
    def max_bytes(self) -> int:
        return self.limits.max_bytes


class Scorer:
    """A loaded model on one core. Loads at once, so that a broken model fails before the first image."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._detector = Detector(
            task.model, limits=task.limits, threads=1, remember=_CACHED_RESULTS if task.reuse else 0
        )
        self.analyse([])

    def score(self, inputs: Sequence[Input]) -> list[str]:
        """One row per input, in order. Never raises on a bad input."""
        return [to_json(result) for result in self.analyse(inputs)]

    def analyse(self, inputs: Sequence[Input]) -> list[Result]:
        """One Result per input, in order. Never raises on a bad input."""
        remote = any(isinstance(one, Source) and one.uri for one in inputs)
        task = self._task
        return list(
            self._detector.detect_many(
                inputs, mode=task.mode, threshold=task.threshold, only=task.only, heatmap=task.heatmap,
                explain=task.explain, batch_size=max(1, len(inputs)), jobs=_READERS if remote else 1,
            )
        )  # fmt: skip
