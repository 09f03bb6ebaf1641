"""OUT/last.ckpt: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from ..errors import UsageError
from .recipes import Recipe


@dataclass(slots=True)
class State:
    """What a checkpoint holds beside network and optimiser. `step` counts the steps done of epoch `epoch`."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    best_accuracy: float = -1.0
    log: list[dict[str, float]] = field(default_factory=list)

    def finish_epoch(self, row: dict[str, float]) -> None:
        """To the first step of the next epoch. Nothing is called after the log is put together, so that an interrupt
        (which comes at calls and loops) finds the epoch either finished or to be finished again."""
        self.log = [*self.log, row]
        self.loss_sum = self.seconds = 0.0
        self.correct = self.seen = 0
        self.epoch, self.step = self.epoch + 1, 0


def save(
    fabric: Fabric, path: Path, held: dict[str, Any], state: State, recipe: Recipe, pictures: str
) -> None:
    """`pictures`: their `rows_id`."""
    part = path.with_suffix(".part")
    told = {"state": asdict(state), "recipe": asdict(recipe), "pictures": pictures}
    fabric.save(part, {**held, **told})
    if fabric.is_global_zero:
        part.replace(path)


def load(
    fabric: Fabric, path: Path, held: dict[str, Any], state: State, recipe: Recipe, pictures: str
) -> None:
    """Into `held` and `state`. Raises UsageError where there is none, or it is of another recipe or other pictures."""
    if not path.exists():
        raise UsageError(
            f"{path.parent}: nothing to resume there (no {path.name}); leave --resume out to begin anew"
        )
    # Looked at before anything is put into a network that may have other layers.
    told = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    gone = sorted(told["recipe"].keys() - asdict(recipe).keys())
    if gone:
        raise UsageError(
            f"{path}: written by an earlier version with other options ({', '.join(gone)}); train anew with another "
            "--out"
        )
    if told["recipe"] != asdict(recipe):
        changed = [key for key, value in asdict(recipe).items() if told["recipe"].get(key) != value]
        raise UsageError(
            f"{path}: made with another recipe ({', '.join(changed)} differ); use the same options"
        )
    if told.get("pictures") != pictures:
        raise UsageError(
            f"{path}: trained on other pictures, splits or sources than --data has now; name another --out"
        )
    for key, value in fabric.load(path, held)["state"].items():
        setattr(state, key, value)
