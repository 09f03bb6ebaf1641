"""Loss and accuracy of the running epoch, for the log and for progress bars."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lightning_fabric import Fabric
from torch import Tensor

from .checkpoint import State
from .devices import sum_over_processes


@dataclass(frozen=True, slots=True)
class Progress:
    """The position of a run. Loss and accuracy are means over the epoch so far."""

    epoch: int
    step: int
    steps: int  # of the epoch
    loss: float
    accuracy: float
    images_per_s: float


Report = Callable[[Progress], None]


class EpochMeter:
    """Sums loss and accuracy of an epoch into `state`, one step late: reading the values of a step at once would leave
    the device idle meanwhile."""

    def __init__(self, fabric: Fabric, state: State, steps: int, report: Report) -> None:
        self.fabric, self.state, self.steps, self.report = fabric, state, steps, report
        self.started = time.perf_counter() - state.seconds
        self.pending: deque[tuple[Tensor, Tensor, int]] = deque()  # (mean loss, correct, images) of a step

    def add(self, loss: Tensor, correct: Tensor, count: int) -> None:
        self.pending.append((loss, correct, count))
        if len(self.pending) > 1:
            self.report_first()

    def count_first(self) -> None:
        """Add the oldest pending step to the sums."""
        loss, correct, count = self.pending.popleft()
        sums = sum_over_processes(self.fabric, loss.item() * count, int(correct), count)
        self.state.loss_sum += sums[0]
        self.state.correct += int(sums[1])
        self.state.seen += int(sums[2])
        self.state.seconds = time.perf_counter() - self.started

    def report_first(self) -> None:
        self.count_first()
        state = self.state
        self.report(
            Progress(
                state.epoch,
                state.step - len(self.pending),
                self.steps,
                state.loss_sum / state.seen,
                state.correct / state.seen,
                state.seen / state.seconds,
            )
        )
