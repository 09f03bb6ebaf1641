"""The CNN of the original class project."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from .base import CNN_INPUT, Network


class CNN(Network):
    """The architecture of the original project: four convolutional blocks on 224 x 224 RGB. 3,309,090 parameters.

    A block is Conv2d 3x3, ReLU, MaxPool2d 2x2, so the map halves four times: 224, 112, 56, 28, 14.
    """

    input = CNN_INPUT
    architecture = "4 x (Conv2d 3x3, ReLU, MaxPool2d 2x2), Linear 25088-128-2"

    channels = (3, 16, 32, 64, 128)  # of the image and of the blocks

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

    def forward_with_heatmap(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 224, 224) -> logits (N, 2), heatmap (N, 14, 14).

        Gradient x activation at the last block (as Grad-CAM, Selvaraju et al. 2017, without averaging the gradient over
        positions, because the classifier does not pool them). The classifier is Linear-ReLU-Linear, so the gradient of
        logit(ai) - logit(real) is a masked matrix product.
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
    """The CNN during training: with batch normalisation after each layer but the last (Ioffe and Szegedy 2015), which
    improves its accuracy (docs/experiments.md).

    At inference a normalisation is a scale and an offset per channel, which `in_use` folds into the layer before it. It
    follows the pooling, which is a quarter of the work and gives the same result, because the scale is positive. It has
    no trained scale, because the next layer has one.
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
        *layers, last = _layers(self)
        norms = [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
        folded = [
            fuse_conv_bn_eval(layer, norm)
            if isinstance(layer, nn.Conv2d)
            else fuse_linear_bn_eval(layer, norm)
            for layer, norm in zip(layers, norms, strict=True)
        ]
        for target, layer in zip(_layers(cnn), [*folded, last], strict=True):
            target.load_state_dict(layer.state_dict())
        return cnn.eval()


def _layers(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The convolutions and linear layers, in order."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
