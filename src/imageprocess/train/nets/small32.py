"""A small residual network for images of 32 x 32 pixels."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ...model.spec import InputSpec
from .base import Network


class _Residual(nn.Module):
    """A residual branch of one convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )

    def forward(self, maps: Tensor) -> Tensor:
        output: Tensor = maps + self.body(maps)
        return output


class Small32(Network):
    """For data sets of 32 x 32 images, such as CIFAKE. About 1.1 million parameters.

    A stage is Conv2d 3x3, MaxPool2d 2x2 and a residual Conv2d 3x3; the classifier is linear on the mean of the last
    maps. At inference the maps are averaged over six views (test-time augmentation): the image and its mirror image,
    each shifted by -1, 0 and 1 pixels with reflected edges, so that pooling windows contain other pixels.
    """

    input = InputSpec(width=32, height=32, filter="bilinear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    architecture = (
        "stem and three residual stages on 32 x 32 and its mirror image in three places, mean of the last, "
        "one linear layer"
    )
    _SHIFTS = (0, 1, -1)  # pixels, in both directions at once

    def __init__(self) -> None:
        super().__init__()
        channels = (32, 64, 128, 256)
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels[0], 3, padding=1, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU()
        )
        stages: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            stages += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.MaxPool2d(2, 2),
                nn.BatchNorm2d(outputs), nn.ReLU(), _Residual(outputs),
            ]  # fmt: skip
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(channels[-1], 2))

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, 32, 32) float32, normalised -> logits (N, 2): ai_image, real_image."""
        return self.classify(self.last_maps(pixels))

    def forward_with_heatmap(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """-> logits (N, 2), heatmap (N, 4, 4): class activation maps (Zhou et al. 2016)."""
        linear = self.classifier[-1]
        assert isinstance(linear, nn.Linear)
        maps = self.last_maps(pixels)
        towards_ai = (linear.weight[0] - linear.weight[1])[:, None, None]
        return self.classify(maps), (maps * towards_ai).sum(1) / (maps.shape[2] * maps.shape[3])

    def classify(self, maps: Tensor) -> Tensor:
        """(N, 256, 4, 4) -> logits (N, 2)."""
        logits: Tensor = self.classifier(maps.mean((2, 3)))
        return logits

    def last_maps(self, pixels: Tensor) -> Tensor:
        """-> (N, 256, 4, 4); at inference the mean over the views, with those of the mirror image mirrored back."""
        if self.training:
            return self.view_maps(pixels)
        edge = max(self._SHIFTS)
        padded = nn.functional.pad(pixels, (edge,) * 4, mode="reflect")
        height, width = pixels.shape[2:]
        views = [
            padded[:, :, edge + shift : edge + shift + height, edge + shift : edge + shift + width]
            for shift in self._SHIFTS
        ]
        maps = [
            maps for view in views for maps in (self.view_maps(view), self.view_maps(view.flip(3)).flip(3))
        ]
        return torch.stack(maps).mean(0)

    def view_maps(self, pixels: Tensor) -> Tensor:
        """-> (N, 256, 4, 4)"""
        maps: Tensor = self.stages(self.stem(pixels))
        return maps
