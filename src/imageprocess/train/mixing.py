"""Mix-up (Zhang et al. 2018) and cut-mix (Yun et al. 2019), and the loss of what they make of a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .recipes import Recipe


def logits_and_loss(network: Any, shown: Tensor, labels: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """-> logits (N, 2) and the batch's loss. With mix-up each picture is mixed with its opposite in the batch, or
    has a rectangle of it laid over."""

    def loss_of(truth: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, truth, label_smoothing=recipe.label_smoothing)

    if not recipe.mixup or float(torch.rand(())) >= recipe.mixed_share:
        logits = network(shown)
        return logits, loss_of(labels)
    drawn = float(torch.distributions.Beta(recipe.mixup, recipe.mixup).sample())
    share_of_first = max(drawn, 1 - drawn)  # so that accuracy is counted against what there is more of
    other = shown.flip(0)
    if float(torch.rand(())) < recipe.cutmix_share:
        height, width = shown.shape[2:]
        side = (1 - share_of_first) ** 0.5
        tall, wide = int(side * height), int(side * width)
        top, left = (int(torch.randint(free + 1, ())) for free in (height - tall, width - wide))
        mixed = shown.clone()
        mixed[:, :, top : top + tall, left : left + wide] = other[:, :, top : top + tall, left : left + wide]
        share_of_first = 1 - tall * wide / (height * width)
    else:
        mixed = share_of_first * shown + (1 - share_of_first) * other
    logits = network(mixed)
    return logits, share_of_first * loss_of(labels) + (1 - share_of_first) * loss_of(labels.flip(0))
