"""For pictures of 32 x 32."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ...model.spec import InputSpec
from .base import Pooled


class _Beside(nn.Module):
    """One convolution beside the way straight through."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = maps + self.body(maps)
        return found


class Small32(Pooled):
    """For data sets of 32 x 32 pictures, such as CIFAKE. About 1.1 million parameters.

    A stage is Conv2d 3x3, MaxPool2d 2x2 and one more Conv2d 3x3 beside the way straight through. In use the net looks
    at a picture and its mirror image, in three places a pixel apart: the poolings see other pixels together. What is
    missing at an edge is reflected.
    """

    input = InputSpec(width=32, height=32, filter="bilinear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    architecture = (
        "stem and three residual stages on 32 x 32 and its mirror image in three places, mean of the last, "
        "one linear layer"
    )
    _PLACES = (0, 1, -1)  # pixels by which the picture is moved, both ways

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
                nn.BatchNorm2d(outputs), nn.ReLU(), _Beside(outputs),
            ]  # fmt: skip
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(channels[-1], 2))

    def last_maps(self, pixels: Tensor) -> Tensor:
        """In use the mean of all views', those of a mirror image turned back; (N, 256, 4, 4)."""
        if self.training:
            return self.maps_of(pixels)
        edge = max(self._PLACES)
        padded = nn.functional.pad(pixels, (edge,) * 4, mode="reflect")
        height, width = pixels.shape[2:]
        moved = [
            padded[:, :, edge + place : edge + place + height, edge + place : edge + place + width]
            for place in self._PLACES
        ]
        seen = [maps for view in moved for maps in (self.maps_of(view), self.maps_of(view.flip(3)).flip(3))]
        return torch.stack(seen).mean(0)

    def maps_of(self, pixels: Tensor) -> Tensor:
        """-> (N, 256, 4, 4)"""
        maps: Tensor = self.stages(self.stem(pixels))
        return maps
