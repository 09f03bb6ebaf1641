"""Trained networks and a forest, on the same pixels; `train.blend` says why, and how they are weighed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..dataset import LABELS
from ..forest import Forest
from ..statistics import Statistics
from .base import CNN_INPUT, Network, WithHeatmap


class Blend(nn.Module):
    """The weighted sum of their log odds of being an AI's."""

    input = CNN_INPUT

    def __init__(self, networks: Sequence[Network], forest: Forest, weights: Sequence[float]) -> None:
        """`weights`: one a network, then the forest's. The first network gives the heat map."""
        super().__init__()
        self.first = WithHeatmap(networks[0])
        self.others = nn.ModuleList(networks[1:])
        self.statistics = Statistics()
        self.forest = forest
        self.weights = tuple(weights)
        names = ", ".join(type(network).__name__ for network in networks)
        self.architecture = (
            f"log odds blended of: {names}, boosted trees over statistics of texture and colour"
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 224, 224) float32, normalised -> logits (N, 2), heatmap (N, h, w): the first network's share.

        The others' shares have no place: they are of the picture as a whole.
        """
        logits, heatmap = self.first(pixels)
        opinions = [odds_of(logits), *(odds_of(other(pixels)) for other in self.others), self.vote(pixels)]
        odds = torch.stack(opinions, dim=1) @ torch.tensor(self.weights)
        return torch.stack([odds / 2, -odds / 2], dim=1), self.weights[0] * heatmap

    def vote(self, pixels: Tensor) -> Tensor:
        """(N, 3, 224, 224) normalised -> (N,) the forest's log odds."""
        odds: Tensor = self.forest(self.statistics(to_unit(pixels)))
        return odds


def odds_of(logits: Tensor) -> Tensor:
    """(N, 2) -> (N,) logit(ai) - logit(real)."""
    return logits[:, LABELS["ai"]] - logits[:, LABELS["real"]]


def to_unit(pixels: Tensor) -> Tensor:
    """Normalised as the CNN takes them -> 0 to 1."""
    std = torch.tensor(CNN_INPUT.std)[:, None, None]
    mean = torch.tensor(CNN_INPUT.mean)[:, None, None]
    return pixels * std + mean
