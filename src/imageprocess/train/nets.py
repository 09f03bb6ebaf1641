"""The networks, as readable objects."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ..model.spec import InputSpec

CNN_INPUT = InputSpec(width=224, height=224, filter="bilinear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


class CNN(nn.Module):
    """The original's network: four convolutional blocks on 224 x 224 RGB, two classes. 3,309,090 parameters.

    A block is Conv2d 3x3, ReLU, MaxPool2d 2x2, so the map halves four times: 224, 112, 56, 28, 14.
    """

    input = CNN_INPUT
    architecture = "4 x (Conv2d 3x3, ReLU, MaxPool2d 2x2), Linear 25088-128-2"

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 16, 32, 64, 128)
        blocks: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
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

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, 224, 224) float32, normalised -> logits (N, 2): ai_image, real_image."""
        logits: Tensor = self.classifier(self.features(pixels))
        return logits


class CNNWithHeatmap(nn.Module):
    """What is exported: the CNN and, beside its logits, where they came from.

    The heat map is gradient x activation at the last block (the Grad-CAM family, Selvaraju et al. 2017), not
    averaged over space since the classifier is not. The classifier is Linear-ReLU-Linear, so the gradient of
    logit(ai) - logit(real) is a masked matrix product and needs no backward pass: the graph holds it.
    """

    def __init__(self, cnn: CNN) -> None:
        super().__init__()
        self.cnn = cnn

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 224, 224) -> logits (N, 2), heatmap (N, 14, 14)."""
        first, last = self.cnn.classifier[2], self.cnn.classifier[5]
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        maps = self.cnn.features(pixels)  # (N, 128, 14, 14)
        hidden = first(maps.flatten(1))  # (N, 128)
        logits = last(torch.relu(hidden))
        towards_ai = (hidden > 0).to(maps.dtype) * (last.weight[0] - last.weight[1])  # (N, 128)
        gradient = (towards_ai @ first.weight).reshape(maps.shape)  # (N, 128, 14, 14)
        return logits, (maps * gradient).sum(dim=1)


NETS: dict[str, type[CNN]] = {"cnn": CNN}
