"""The running mean of a network's weights over the steps of a run: what is measured, and kept."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class Averaged(nn.Module):
    """A network whose weights and buffers are the mean of another's over its steps (Polyak and Juditsky 1992).

    It forgets faster at first: with `decay` alone the weights that nothing had taught were still a quarter of it after
    1,400 steps, and their normalisations' spreads had it say the same of every picture. PyTorch's AveragedModel counts
    its steps where the weights are, and to ask a GPU for a number waits until all its work is done.
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
        """One more step: bring the mean up to the weights that `module` has now."""
        kept = min(self.decay, self.steps / (9 + self.steps))
        self.steps += 1
        pairs = list(zip(_tensors(self.module), _tensors(module), strict=True))
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in floating], [newest for _, newest in floating], 1 - kept)
        for mean, newest in pairs:
            if not mean.is_floating_point():  # how many batches a normalisation has seen
                mean.copy_(newest, non_blocking=True)

    def get_extra_state(self) -> int:
        return self.steps

    def set_extra_state(self, state: int) -> None:
        self.steps = state


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
