"""The default model's network, and a closer look of the same kind."""

from __future__ import annotations

from itertools import pairwise, product

import torch
from torch import Tensor, nn

from .base import CNN_INPUT, Network


class _Residual(nn.Module):
    """Two 3x3 convolutions beside the way straight through (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.straight: nn.Module = nn.Identity()
        if (inputs, stride) != (outputs, 1):
            self.straight = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(self.body(maps) + self.straight(maps))


class Glance(Network):
    """The whole picture at half the CNN's size, three times as many pictures an hour. About 0.7 million parameters.

    What is told on is the mean and the spread of every stage's maps, not their places: the net learns what a picture
    is like all over, and the early stages are taught directly.
    """

    input = CNN_INPUT
    architecture = "stem and three residual stages on 112 x 112, mean and spread of each, one linear layer"
    channels = (32, 48, 96, 192)  # of the stem and of the stages
    fronts = 3  # channels that `front` gives
    filter = (4, 2, 1)  # of the stem: side, stride, padding

    def __init__(self) -> None:
        super().__init__()
        first = self.channels[0]
        self.stem = nn.Sequential(
            nn.Conv2d(self.fronts, first, *self.filter, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.MaxPool2d(2, 2),
        )
        self.stages = nn.ModuleList(
            _Residual(inputs, outputs, stride)
            for (inputs, outputs), stride in zip(pairwise(self.channels), (1, 2, 2), strict=True)
        )
        told = 2 * sum(self.channels[1:])
        self.classifier = nn.Sequential(nn.BatchNorm1d(told), nn.Dropout(0.3), nn.Linear(told, 2))

    def front(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) -> what the stem sees, (N, fronts, H/2, W/2)."""
        return nn.functional.avg_pool2d(pixels, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, 224, 224) float32, normalised -> logits (N, 2): ai_image, real_image."""
        return self.judge(self.stages_of(pixels))

    def judge(self, stages: list[Tensor]) -> Tensor:
        """The maps of the three stages -> logits (N, 2)."""
        told = []
        for maps in stages:
            mean = maps.mean((2, 3))
            spread = (maps.square().mean((2, 3)) - mean.square()).clamp_min(1e-6).sqrt()
            told += [mean, spread]
        logits: Tensor = self.classifier(torch.cat(told, dim=1))
        return logits

    def stages_of(self, pixels: Tensor) -> list[Tensor]:
        """-> the maps of the three stages, (N, C, 28, 28), (N, C, 14, 14), (N, C, 7, 7) float32."""
        maps = self.stem(self.front(pixels))  # (N, C, 28, 28)
        found = []
        for stage in self.stages:
            maps = stage(maps)
            found.append(maps.float())
        return found

    def explained(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 224, 224) -> logits (N, 2), heatmap (N, 28, 28).

        The classifier is linear, so what the means of the maps add to logit(ai) - logit(real) divides among the places
        exactly (class activation maps, Zhou et al. 2016), over all stages. What their spreads add has no place.
        """
        norm, linear = self.classifier[0], self.classifier[2]
        assert isinstance(norm, nn.BatchNorm1d) and isinstance(linear, nn.Linear)
        assert norm.running_var is not None
        towards_ai = (
            (linear.weight[0] - linear.weight[1]) * norm.weight / (norm.running_var + norm.eps).sqrt()
        )
        stages = self.stages_of(pixels)
        finest = stages[0].shape[-1]
        heat = []
        at = 0
        for maps in stages:
            channels, side = maps.shape[1], maps.shape[-1]
            share = (maps * towards_ai[at : at + channels, None, None]).sum(1, keepdim=True) / finest**2
            heat.append(nn.functional.interpolate(share, scale_factor=finest // side, mode="nearest"))
            at += 2 * channels
        return self.judge(stages), torch.cat(heat, dim=1).sum(1)


class Look(Glance):
    """As Glance, of the whole picture at its full size, and deeper. About 2.8 million parameters.

    For a device that delivers every picture anew (`train.on_device`): shown three deliveries it learns them by heart.
    """

    architecture = (
        "stem and three stages of two residual blocks on 224 x 224, mean and spread of each, one linear layer"
    )
    channels = (48, 64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        first, middle = self.channels[0], self.channels[0] // 2
        self.stem = nn.Sequential(
            nn.Conv2d(3, middle, 5, 2, 2, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, first, 3, 2, 1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(_Residual(inputs, outputs, 2), _Residual(outputs, outputs, 1))
            for inputs, outputs in pairwise(self.channels)
        )

    def front(self, pixels: Tensor) -> Tensor:
        return pixels


class Gaze(Glance):
    """As Glance, and looking at every pixel. About 0.7 million parameters.

    Beside the pixels stands what is finer than their neighbourhood's mean, made louder: the traces of a generator's
    decoder are faint (NPR, Tan et al. 2024; FerretNet, 2025). Four neighbours come in as channels, not averaged.
    """

    architecture = (
        "pixels and their residual, stem and three residual stages on 224 x 224, "
        "mean and spread of each, one linear layer"
    )
    fronts = 24
    filter = (3, 2, 1)
    _LOUDER = 4.5  # about as far spread as the pixels are; a ninth of it is exact in half precision

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("four", self._pixels_and_residual(), persistent=False)
        self.four: Tensor

    @classmethod
    def _pixels_and_residual(cls) -> Tensor:
        """(24, 3, 4, 4): of 2 x 2 pixels in the midst of 4 x 4, each colour's value, then its residual.

        One convolution, as pooling, subtracting and unshuffling take six times as long.
        """
        # Which, colour, y, x; then of which colour and pixel it takes how much.
        filters = torch.zeros(2, 3, 2, 2, 3, 4, 4)
        for colour, y, x in product(range(3), range(2), range(2)):
            value, residual = filters[:, colour, y, x, colour]
            value[1 + y, 1 + x] = 1
            residual[y : y + 3, x : x + 3] = -cls._LOUDER / 9
            residual[1 + y, 1 + x] += cls._LOUDER
        return filters.flatten(0, 3)

    def front(self, pixels: Tensor) -> Tensor:
        return nn.functional.conv2d(nn.functional.pad(pixels, (1, 1, 1, 1), "replicate"), self.four, stride=2)
