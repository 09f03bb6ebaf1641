"""Pictures -> records, off the event loop, a few at a time."""

from __future__ import annotations

import logging
import time
from typing import Any

import anyio
import anyio.to_thread

from ..detector import Detector, failed
from ..errors import CrashedError, ImageProcessError, InputError
from ..report.records import to_record
from ..types import Mode, Result, Source
from .metrics import Metrics
from .problems import ProblemError

log = logging.getLogger("imageprocess.serve")


class Analyser:
    """Looks at `jobs` pictures at a time; `max_waiting` more may wait, the next is turned away."""

    def __init__(self, detector: Detector, metrics: Metrics, *, jobs: int, max_waiting: int) -> None:
        self.detector = detector
        self._metrics = metrics
        self._turns = anyio.CapacityLimiter(jobs)
        self._max_waiting = max_waiting
        metrics.waiting.set_function(self._waiting)

    async def analyse(self, source: Source, mode: Mode, heatmap: bool = False) -> dict[str, Any]:
        """One picture's record, failed or not. Raises ProblemError when too many wait, UsageError, ModelError."""
        if self._waiting() >= self._max_waiting:
            raise ProblemError(503, "busy", "too many pictures wait already", {"Retry-After": "1"})
        record, elapsed_s = await anyio.to_thread.run_sync(
            self._look, source, mode, heatmap, limiter=self._turns
        )
        self._metrics.count_record(record, elapsed_s)
        return record

    def _waiting(self) -> int:
        return self._turns.statistics().tasks_waiting

    def _look(self, source: Source, mode: Mode, heatmap: bool) -> tuple[dict[str, Any], float]:
        began = time.perf_counter()
        result = self._detect(source, mode, heatmap)
        record = to_record(result)
        if result.heatmap is not None:
            height, width = result.heatmap.shape
            values = [round(float(value), 3) for value in result.heatmap.flat]
            record["heatmap"] = {"width": width, "height": height, "values": values}
        return record, time.perf_counter() - began

    def _detect(self, source: Source, mode: Mode, heatmap: bool) -> Result:
        try:
            return self.detector.detect(source, mode=mode, heatmap=heatmap)
        except InputError as error:
            return failed(source.name, error)
        except ImageProcessError:
            raise  # the caller's mistake, or the model's; not this picture's
        except Exception:
            log.exception("a picture of %d bytes crashed the detector", len(source.data or b""))
            return failed(source.name, CrashedError("the picture could not be analysed"))
