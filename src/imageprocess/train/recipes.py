"""The networks by name, and how each is trained: everything that decides the result of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch

from ..errors import UsageError
from .nets import CNN, Network, Small32

Precision = Literal["32-true", "bf16-mixed"]


def fastest_precision() -> Precision:
    """bf16 where the hardware multiplies it natively (twice as fast on an AVX-512 BF16 core), else 32-bit."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16", False) else "32-true"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the result of a run; a checkpoint is resumed only with the recipe that it was written with."""

    net: str = "cnn"
    epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 5e-4  # of Adam, falling to zero along half a cosine
    restart: int = 0  # after so many epochs it falls once more from the top (Loshchilov and Hutter 2017)
    warmup_steps: int = 100
    weight_decay: float = 0.0
    # Degraded copies of each training image; epoch e uses number 1 + e modulo this. 0: the images as they are.
    deliveries: int = 3
    shift: int = 0  # maximum random shift in pixels, both ways
    label_smoothing: float = 0.0
    # Decay per step of the running mean of the weights, which is then what is measured and kept (Polyak and Juditsky
    # 1992); 0: none.
    averaging: float = 0.0
    seed: int = 0
    precision: Precision = field(default_factory=fastest_precision)

    def learning_rate_at(self, position: int, steps: int) -> float:
        """At step `position` of the run, of `steps` per epoch. The second fall begins as the first did; a run that
        ends before `restart` falls once, to zero."""
        first = self.restart if self.restart < self.epochs else 0
        begin, end = (first, self.epochs) if position >= first * steps else (0, first)
        done, total = position - begin * steps, (end - begin) * steps
        warm = min(1.0, (done + 1) / max(1, min(self.warmup_steps, total // 10)))
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done / total))


NETS: dict[str, type[Network]] = {"cnn": CNN, "small32": Small32}

RECIPES: dict[str, Recipe] = {
    "cnn": Recipe(epochs=24, batch_size=64, learning_rate=1e-3, restart=10, averaging=0.995, shift=12),
    "small32": Recipe(
        net="small32",
        epochs=16,
        batch_size=256,
        learning_rate=3e-3,
        warmup_steps=500,
        weight_decay=0.05,
        deliveries=0,
        shift=2,
        label_smoothing=0.1,
        averaging=0.995,
    ),
}


def recipe_of(net: str) -> Recipe:
    """The recipe of one of the networks. Raises UsageError for another name."""
    if net not in RECIPES:
        raise UsageError(
            f"{net}: not a network that `train` knows ({', '.join(RECIPES)}); for a head on an encoder use "
            "`train --encoder FILE.onnx`"
        )
    return RECIPES[net]
