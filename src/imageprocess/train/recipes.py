"""The networks by name, and how each is trained: everything that decides the result of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from ..errors import UsageError
from .dataset import Balance
from .nets import CNN, NPR, FerretNet, Gaze, Glance, Look, Network, ResNet18, Small32

Precision = Literal["32-true", "bf16-mixed"]


def fastest_precision() -> Precision:
    """bf16 where the hardware multiplies it natively (twice as fast on an AVX-512 BF16 core), else 32-bit."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16", False) else "32-true"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the result of a run; a checkpoint goes on only under the recipe that it was made with."""

    net: str = "cnn"
    epochs: int = 5
    passes: int = 1  # over the pictures, in an epoch: before it is measured and kept
    batch_size: int = 32
    learning_rate: float = 5e-4  # of Adam, falling to zero along half a cosine
    restart: int = 0  # after so many epochs it falls once more from the top (Loshchilov and Hutter 2017)
    warmup_steps: int = 100
    weight_decay: float = 0.0
    # Degradations that a training picture has; epoch e shows number 1 + e modulo this. 0: the pictures as they are.
    deliveries: int = 3
    # Each picture in the device's memory, and delivered anew each time that it is shown (`on_device`).
    fresh: bool = False
    grey_share: float = 0.0  # of the pictures: without colour
    page_share: float = 0.0  # as on a page
    shift: int = 0  # pixels by which a picture may be moved either way
    window: int = (
        0  # the side of a random window that a training step sees instead of the whole; 0: the whole
    )
    mixup: float = 0.0  # alpha of mix-up (Zhang et al. 2018); 0: none
    mixed_share: float = 1.0  # of the batches, where there is mix-up
    # Of those, in which a rectangle of the other picture is laid over instead (Yun et al. 2019).
    cutmix_share: float = 0.0
    # The first epochs see pictures of so many pixels a side, in less than half the time (Howard 2018); 0: none do.
    small_epochs: int = 0
    small_side: int = 144
    label_smoothing: float = 0.0
    # Of the weights' running mean, a step; that mean is then what is measured and kept (Polyak and Juditsky 1992).
    averaging: float = 0.0
    balance: Balance = "class"
    # Of sources: so many twins learn from the same batches, each without one of the folds (`twins`).
    folds: int = 0
    fakes: bool = False  # besides, the fakes of our own that `data fakes` has made
    seed: int = 0
    precision: Precision = field(default_factory=fastest_precision)

    def lasting(self, epochs: int) -> Recipe:
        """The same in more or fewer epochs, of which as large a share sees small pictures."""
        return replace(self, epochs=epochs, small_epochs=round(self.small_epochs * epochs / self.epochs))

    def learning_rate_at(self, position: int, steps: int) -> float:
        """At step `position` of the run, of `steps` an epoch. A second fall begins as the first did; a run that ends
        before it falls once, to nothing."""
        first = self.restart if self.restart < self.epochs else 0
        begin, end = (first, self.epochs) if position >= first * steps else (0, first)
        done, total = position - begin * steps, (end - begin) * steps
        warm = min(1.0, (done + 1) / max(1, min(self.warmup_steps, total // 10)))
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done / total))


NETS: dict[str, type[Network]] = {
    "cnn": CNN,
    "glance": Glance,
    "look": Look,
    "gaze": Gaze,
    "small32": Small32,
    "npr": NPR,
    "ferretnet": FerretNet,
    "resnet18": ResNet18,
}

_PEER = Recipe(epochs=12, batch_size=64, learning_rate=1e-3, weight_decay=0.05, balance="source")

RECIPES: dict[str, Recipe] = {
    "cnn": Recipe(epochs=24, batch_size=64, learning_rate=1e-3, restart=10, averaging=0.995, shift=12),
    "glance": Recipe(
        net="glance", epochs=12, batch_size=64, learning_rate=2e-3, weight_decay=0.05, balance="source"
    ),
    "look": Recipe(
        net="look",
        epochs=40,
        small_epochs=28,
        batch_size=64,
        learning_rate=2e-3,
        warmup_steps=300,
        weight_decay=0.05,
        grey_share=0.1,
        page_share=0.08,
        mixup=0.4,
        mixed_share=0.3,
        cutmix_share=0.5,
        label_smoothing=0.05,
        averaging=0.999,
        balance="source",
    ),
    "gaze": Recipe(
        net="gaze",
        epochs=12,
        batch_size=64,
        learning_rate=2e-3,
        warmup_steps=500,
        weight_decay=0.05,
        window=128,
        mixup=0.2,
        averaging=0.999,
        balance="source",
    ),
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
    "npr": replace(_PEER, net="npr"),
    "ferretnet": replace(_PEER, net="ferretnet"),
    "resnet18": replace(_PEER, net="resnet18"),
}


def on_device(recipe: Recipe) -> Recipe:
    """The same for a GPU: batches that fill it, and as long as pictures never seen before teach something.

    Raises UsageError for a recipe whose pictures are shown in a way that only the CPU's readers know.
    """
    if not recipe.deliveries:
        raise UsageError(f"{recipe.net}: takes its pictures as they are, and on a device they are delivered")
    for unknown in ("shift", "window"):
        if getattr(recipe, unknown):
            raise UsageError(f"{recipe.net}: its recipe has a {unknown}, which is not done on a device")
    return replace(recipe, fresh=True, batch_size=512, epochs=42, passes=4, small_epochs=0)


def recipe_of(net: str) -> Recipe:
    """The recipe of one of the networks. Raises UsageError for another name."""
    if net not in RECIPES:
        raise UsageError(f"{net}: not a network that is trained by steps ({', '.join(RECIPES)})")
    return RECIPES[net]
