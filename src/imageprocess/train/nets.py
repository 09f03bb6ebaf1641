"""The networks, as readable objects."""

from __future__ import annotations

from itertools import pairwise, product
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from ..model.spec import InputSpec

CNN_INPUT = InputSpec(224, 224, "bilinear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), reducing_gap=1.75)


class Network(nn.Module):
    """Pixels -> two logits and, where `explained` is asked, where they came from."""

    input: ClassVar[InputSpec]
    architecture: ClassVar[str]

    def explained(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward` in eval mode, (N, 3, H, W) -> logits (N, 2), and a heat map (N, h, w): what each place adds to
        logit(ai) - logit(real). Without a backward pass, so that the exported graph can hold it."""
        raise NotImplementedError

    @classmethod
    def to_train(cls) -> Network:
        """What is trained in its place, from nothing; `in_use` makes one of this class of it."""
        return cls()

    def in_use(self) -> Network:
        """Of a trained network, in eval mode: what is kept of it. It says the same."""
        return self


class WithHeatmap(nn.Module):
    """What is exported: a network's logits and its heat map."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.explained(pixels)


class CNN(Network):
    """The original's network: four convolutional blocks on 224 x 224 RGB, two classes. 3,309,090 parameters.

    A block is Conv2d 3x3, ReLU, MaxPool2d 2x2, so the map halves four times: 224, 112, 56, 28, 14.
    """

    input = CNN_INPUT
    architecture = "4 x (Conv2d 3x3, ReLU, MaxPool2d 2x2), Linear 25088-128-2"

    channels = (3, 16, 32, 64, 128)  # of the picture and of the blocks

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inputs, outputs in pairwise(self.channels):
            blocks += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(128 * 14 * 14, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 2),
        )

    @classmethod
    def to_train(cls) -> Network:
        return NormalisedCNN()

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, 224, 224) float32, normalised -> logits (N, 2): ai_image, real_image."""
        logits: Tensor = self.classifier(self.features(pixels))
        return logits

    def explained(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 224, 224) -> logits (N, 2), heatmap (N, 14, 14).

        Gradient x activation at the last block (the Grad-CAM family, Selvaraju et al. 2017), not averaged over space
        since the classifier is not. The classifier is Linear-ReLU-Linear, so the gradient of logit(ai) - logit(real)
        is a masked matrix product.
        """
        first, last = self.classifier[2], self.classifier[5]
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        maps = self.features(pixels)  # (N, 128, 14, 14)
        hidden = first(maps.flatten(1))  # (N, 128)
        logits = last(torch.relu(hidden))
        towards_ai = (hidden > 0).to(maps.dtype) * (last.weight[0] - last.weight[1])  # (N, 128)
        gradient = (towards_ai @ first.weight).reshape(maps.shape)  # (N, 128, 14, 14)
        return logits, (maps * gradient).sum(dim=1)


class NormalisedCNN(Network):
    """The CNN as it is trained: what each layer but the last gives is normalised over the batch (Ioffe and Szegedy
    2015), which teaches it more from as many pictures: docs/experiments.md.

    In use a normalisation divides and adds, a number a channel each, and the layer before can do that itself. That it
    follows the pooling, for a quarter of the work, changes nothing: what it divides by is positive. It has no factor of
    its own, since the layer after has one.
    """

    input = CNN.input
    architecture = CNN.architecture

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inputs, outputs in pairwise(CNN.channels):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            blocks += [convolution, nn.MaxPool2d(2, 2), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(128 * 14 * 14, 128, bias=False),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 2),
        )
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.weight.requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, 224, 224) float32, normalised -> logits (N, 2): ai_image, real_image."""
        logits: Tensor = self.classifier(self.features(pixels))
        return logits

    def in_use(self) -> CNN:
        cnn = CNN()
        *layers, last = _weighing(self)
        norms = [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
        folded = [
            fuse_conv_bn_eval(layer, norm)
            if isinstance(layer, nn.Conv2d)
            else fuse_linear_bn_eval(layer, norm)
            for layer, norm in zip(layers, norms, strict=True)
        ]
        for kept, trained in zip(_weighing(cnn), [*folded, last], strict=True):
            kept.load_state_dict(trained.state_dict())
        return cnn.eval()


def _weighing(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The layers with weights of their own, in order."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


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


class Pooled(Network):
    """A network that tells by the mean over places of its last maps: of `classifier`, the last layer is linear."""

    classifier: nn.Sequential

    def last_maps(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) float32, normalised -> (N, C, h, w)."""
        raise NotImplementedError

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) float32, normalised -> logits (N, 2): ai_image, real_image."""
        return self.judge(self.last_maps(pixels))

    def judge(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) -> logits (N, 2)."""
        logits: Tensor = self.classifier(maps.mean((2, 3)))
        return logits

    def explained(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """-> logits (N, 2), heatmap (N, h, w): class activation maps (Zhou et al. 2016)."""
        linear = self.classifier[-1]
        assert isinstance(linear, nn.Linear)
        maps = self.last_maps(pixels)
        towards_ai = (linear.weight[0] - linear.weight[1])[:, None, None]
        return self.judge(maps), (maps * towards_ai).sum(1) / (maps.shape[2] * maps.shape[3])


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
