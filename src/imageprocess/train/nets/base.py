"""What every network is."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ...model.spec import InputSpec

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
