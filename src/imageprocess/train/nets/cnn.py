"""The class project's network."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from .base import CNN_INPUT, Network


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
