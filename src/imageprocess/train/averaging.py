"""The running mean of a network's weights over the steps of a run; the mean is what is measured and exported."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class Averaged(nn.Module):
    """A network whose weights and buffers are the exponential mean of another's over its steps (Polyak and Juditsky
    1992).

    The decay is lower in the first steps: with a constant `decay` the untrained weights were still a quarter of the
    mean after 1,400 steps, and with their normalisation statistics the network gave every image the same logits.
    PyTorch's AveragedModel is not used because it keeps its step count on the device, and reading a number from a GPU
    waits until all of its queued work is done.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = deepcopy(module)
        self.decay = decay
        self.steps = 0

    def forward(self, *inputs: Any) -> Any:
        return self.module(*inputs)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Include the current weights of `module` in the mean, after each step."""
        decay = min(self.decay, self.steps / (9 + self.steps))
        self.steps += 1
        pairs = list(zip(_tensors(self.module), _tensors(module), strict=True))
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in floating], [newest for _, newest in floating], 1 - decay)
        for mean, newest in pairs:
            if not mean.is_floating_point():  # the number of batches that a normalisation has seen
                mean.copy_(newest, non_blocking=True)

    def get_extra_state(self) -> int:
        return self.steps

    def set_extra_state(self, state: int) -> None:
        self.steps = state


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
