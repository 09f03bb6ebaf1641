"""Loss and accuracy of a running epoch, and what a progress bar shows of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lightning_fabric import Fabric
from torch import Tensor

from .checkpoint import State
from .devices import total


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, for a progress bar. Losses and accuracies are running means of the epoch."""

    epoch: int
    step: int
    steps: int  # of the epoch
    loss: float
    accuracy: float
    images_per_s: float


Report = Callable[[Progress], None]


class Counter:
    """Loss and accuracy of an epoch, one step behind: reading a step at once would leave the device idle meanwhile."""

    def __init__(self, fabric: Fabric, state: State, steps: int, report: Report) -> None:
        self.fabric, self.state, self.steps, self.report = fabric, state, steps, report
        self.began = time.perf_counter() - state.seconds
        self.pending: deque[tuple[Tensor, Tensor, int]] = deque()

    def add(self, loss: Tensor, correct: Tensor, count: int) -> None:
        self.pending.append((loss, correct, count))
        if len(self.pending) > 1:
            self.report_first()

    def count_first(self) -> None:
        loss, correct, seen = self.pending.popleft()
        loss_sum, right, count = total(self.fabric, loss.item() * seen, int(correct), seen)
        self.state.loss_sum += loss_sum
        self.state.correct += int(right)
        self.state.seen += int(count)
        self.state.seconds = time.perf_counter() - self.began

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
