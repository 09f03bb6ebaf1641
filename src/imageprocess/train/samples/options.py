"""How samples are read; it does not change the result of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]  # (images done, of)


@dataclass(frozen=True, slots=True)
class LoaderOptions:
    workers: int = 2  # processes of the data loader; 0: load in the training process
    resized: bool = False  # also cache copies resized to the network's input (`resized.cache_resized`)

    @property
    def jobs(self) -> int:
        """Processes that fill the caches before training."""
        return max(1, self.workers)
