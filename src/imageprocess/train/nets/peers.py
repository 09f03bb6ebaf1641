"""Networks of others, written from their papers, to be trained on the same pictures and put beside ours.

All of them end in the mean over places of their last maps and one linear layer.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from .base import CNN_INPUT, Pooled


def _convolution(
    inputs: int, outputs: int, side: int, stride: int = 1, *, relu: bool = True
) -> nn.Sequential:
    layers = [
        nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(outputs),
        *([nn.ReLU()] if relu else []),
    ]
    return nn.Sequential(*layers)


class _Beside(nn.Module):
    """`body` beside a way straight through, which is a 1x1 convolution where the shape changes."""

    def __init__(self, body: nn.Module, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = body
        same = stride == 1 and inputs == outputs
        self.straight = nn.Identity() if same else _convolution(inputs, outputs, 1, stride, relu=False)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(self.body(maps) + self.straight(maps))


class _Peer(Pooled):
    """`features` gives the last maps of what `front` gives."""

    input = CNN_INPUT

    def __init__(self, features: nn.Sequential, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.features = features
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, 2))

    def front(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) -> what the first layer sees, of the same shape."""
        return pixels

    def last_maps(self, pixels: Tensor) -> Tensor:
        maps: Tensor = self.features(self.front(pixels))
        return maps


class ResNet18(_Peer):
    """He et al. 2016. 11.2 million parameters."""

    architecture = "ResNet-18"

    def __init__(self) -> None:
        channels = (64, 64, 128, 256, 512)
        layers: list[nn.Module] = [_convolution(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
        for (inputs, outputs), stride in zip(pairwise(channels), (1, 2, 2, 2), strict=True):
            layers += [self._block(inputs, outputs, stride), self._block(outputs, outputs, 1)]
        super().__init__(nn.Sequential(*layers), channels[-1])

    @staticmethod
    def _block(inputs: int, outputs: int, stride: int) -> nn.Module:
        body = nn.Sequential(
            _convolution(inputs, outputs, 3, stride), _convolution(outputs, outputs, 3, relu=False)
        )
        return _Beside(body, inputs, outputs, stride)


class NPR(_Peer):
    """Neighbouring pixel relationships (Tan et al. 2024, arXiv 2312.10461): the first two stages of a ResNet-50 look
    at what is left of a picture when its own enlarged half is taken away. 1.4 million parameters."""

    architecture = "x - up(down(x)), the first two stages of ResNet-50"

    def __init__(self) -> None:
        layers: list[nn.Module] = [_convolution(3, 64, 3, 2), nn.MaxPool2d(3, 2, 1)]
        inputs = 64
        for width, count, stride in ((64, 3, 1), (128, 4, 2)):
            for number in range(count):
                layers.append(self._block(inputs, width, stride if number == 0 else 1))
                inputs = 4 * width
        super().__init__(nn.Sequential(*layers), inputs)

    @staticmethod
    def _block(inputs: int, width: int, stride: int) -> nn.Module:
        body = nn.Sequential(
            _convolution(inputs, width, 1),
            _convolution(width, width, 3, stride),
            _convolution(width, 4 * width, 1, relu=False),
        )
        return _Beside(body, inputs, 4 * width, stride)

    def front(self, pixels: Tensor) -> Tensor:
        first_of_four = pixels[:, :, ::2, ::2]
        return pixels - nn.functional.interpolate(first_of_four, scale_factor=2, mode="nearest")


class _TwoReaches(nn.Module):
    """Convolutions channel by channel, near and at every second pixel, added; then across the channels."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(inputs, outputs, 3, stride, 1, groups=inputs, bias=False)
        self.wide = nn.Conv2d(inputs, outputs, 3, stride, 2, dilation=2, groups=inputs, bias=False)
        self.across = nn.Conv2d(outputs, outputs, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.across(self.near(maps) + self.wide(maps))
        return found


class FerretNet(_Peer):
    """Local pixel dependencies (Liang et al. 2025, arXiv 2509.20890): a small network of separable convolutions looks
    at how far a pixel is from the median of its eight neighbours. 1.1 million parameters."""

    architecture = "x - median of the 8 neighbours, separable residual blocks with two reaches"

    def __init__(self) -> None:
        channels = (96, 192, 384)
        layers: list[nn.Module] = [_convolution(3, 48, 3), _convolution(48, channels[0], 3, 2)]
        for inputs, outputs in pairwise(channels):
            layers += [self._block(inputs, outputs, 2), self._block(outputs, outputs, 1)]
        layers.append(nn.Conv2d(channels[-1], channels[-1], 1, bias=False))
        super().__init__(nn.Sequential(*layers), channels[-1], dropout=0.2)

    @staticmethod
    def _block(inputs: int, outputs: int, stride: int) -> nn.Module:
        body = nn.Sequential(
            _TwoReaches(inputs, outputs, stride),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs, bias=False),
            nn.Conv2d(outputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        return _Beside(body, inputs, outputs, stride)

    def front(self, pixels: Tensor) -> Tensor:
        return pixels - _median_of_neighbours(pixels)


def _median_of_neighbours(pixels: Tensor) -> Tensor:
    """Of the eight around each, the lower of the two in the middle, as torch.median has it; black beyond the edge."""
    height, width = pixels.shape[2:]
    padded = nn.functional.pad(pixels, (1, 1, 1, 1))
    around = [
        padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1)
    ]
    return torch.stack(around).sort(dim=0).values[3]
