"""The networks by name, and the hyperparameters that each is trained with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch

from ..errors import UsageError
from .nets import CNN, Network, Small32

Precision = Literal["32-true", "bf16-mixed"]


def fastest_precision() -> Precision:
    """bf16 where the hardware multiplies it natively (twice as fast on an AVX-512 BF16 core), else 32-bit."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16", False) else "32-true"


# Fields whose key in checkpoints and in model.json is an earlier name of the field.
_STORED_NAMES = {"degraded_copies": "deliveries"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the result of a run. A checkpoint is resumed only with the recipe it was written with."""

    net: str = "cnn"
    epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 5e-4  # peak of Adam's learning rate, which falls to zero along half a cosine
    restart: int = (
        0  # epochs after which the schedule starts again at its peak (Loshchilov and Hutter 2017); 0: never
    )
    warmup_steps: int = 100
    weight_decay: float = 0.0
    # Degraded copies of each training image; epoch e uses copy 1 + e modulo this number. 0: no degradation.
    degraded_copies: int = 3
    shift: int = 0  # maximum random shift in pixels, in each direction
    label_smoothing: float = 0.0
    teacher_share: float = 0.0  # weight of the teacher's probabilities in the targets; the rest is on labels
    # Decay per step of the running mean of the weights, which is what is measured and exported (Polyak and Juditsky
    # 1992); 0: no averaging.
    averaging: float = 0.0
    seed: int = 0
    precision: Precision = field(default_factory=fastest_precision)

    def learning_rate_at(self, position: int, steps: int) -> float:
        """At step `position` of the run, with `steps` per epoch. After a restart the schedule warms up and falls as
        before; a run that ends before `restart` falls to zero once."""
        first = self.restart if self.restart < self.epochs else 0
        begin, end = (first, self.epochs) if position >= first * steps else (0, first)
        done, total = position - begin * steps, (end - begin) * steps
        warm = min(1.0, (done + 1) / max(1, min(self.warmup_steps, total // 10)))
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done / total))

    def to_dict(self) -> dict[str, Any]:
        """As stored in checkpoints and in model.json."""
        return {_STORED_NAMES.get(name, name): value for name, value in asdict(self).items()}


NETS: dict[str, type[Network]] = {"cnn": CNN, "small32": Small32}

RECIPES: dict[str, Recipe] = {
    "cnn": Recipe(epochs=18, batch_size=64, learning_rate=1e-3, averaging=0.995, shift=12),
    "small32": Recipe(
        net="small32",
        epochs=16,
        batch_size=256,
        learning_rate=3e-3,
        warmup_steps=500,
        weight_decay=0.05,
        degraded_copies=0,
        shift=2,
        label_smoothing=0.1,
        averaging=0.995,
    ),
}


def recipe_of(net: str) -> Recipe:
    """The recipe of a network. Raises UsageError if the name is unknown."""
    if net not in RECIPES:
        raise UsageError(
            f"--net {net}: unknown network, choose one of {', '.join(RECIPES)}; to train a head on an encoder use "
            "`train --encoder FILE.onnx`"
        )
    return RECIPES[net]
