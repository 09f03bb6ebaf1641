"""OUT/last.ckpt: everything that is needed to resume a run to the result of an uninterrupted one."""

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
    """The progress of a run. `step` is the number of steps done in epoch `epoch`; sums are of that epoch."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    best_accuracy: float = -1.0
    log: list[dict[str, float]] = field(default_factory=list)

    def finish_epoch(self, row: dict[str, float]) -> None:
        """Append `row` to the log and advance to the next epoch.

        There is no call or loop after the log is extended: a KeyboardInterrupt is raised at these, so it finds the
        epoch either finished or not.
        """
        self.log = [*self.log, row]
        self.loss_sum = self.seconds = 0.0
        self.correct = self.seen = 0
        self.epoch, self.step = self.epoch + 1, 0


def save(
    fabric: Fabric, path: Path, modules: dict[str, Any], state: State, recipe: Recipe, images_id: str
) -> None:
    """Write `path` atomically. `modules`: name -> object with a state_dict; `images_id`: `data.index.rows_id`."""
    part = path.with_suffix(".part")
    facts = {"state": asdict(state), "recipe": recipe.to_dict(), "pictures": images_id}
    fabric.save(part, {**modules, **facts})
    if fabric.is_global_zero:
        part.replace(path)


def load(
    fabric: Fabric, path: Path, modules: dict[str, Any], state: State, recipe: Recipe, images_id: str
) -> None:
    """Restore `modules` and `state`. Raises UsageError if `path` is missing or was written with another recipe or
    other images."""
    if not path.exists():
        raise UsageError(
            f"{path.parent}: nothing to resume (no {path.name}); omit --resume to start a new run"
        )
    # Compared before any weight is loaded, because the network of another recipe may have other layers.
    stored = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    _check_recipe(path, stored["recipe"], recipe.to_dict())
    if stored.get("pictures") != images_id:
        raise UsageError(
            f"{path}: trained on other images, splits or sources than those of --data, or with another --teacher; "
            "choose another --out"
        )
    for key, value in fabric.load(path, modules)["state"].items():
        setattr(state, key, value)


def _check_recipe(path: Path, stored: dict[str, Any], current: dict[str, Any]) -> None:
    if removed := sorted(stored.keys() - current.keys()):
        raise UsageError(
            f"{path}: written by an earlier version with options that no longer exist ({', '.join(removed)}); start a "
            "new run with another --out"
        )
    if changed := [key for key, value in current.items() if stored.get(key) != value]:
        raise UsageError(
            f"{path}: written with other values of {', '.join(changed)}; resume with the same options"
        )
