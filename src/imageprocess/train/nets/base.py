"""The interface of a network."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ...model.spec import InputSpec

CNN_INPUT = InputSpec(224, 224, "bilinear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), reducing_gap=1.75)


class Network(nn.Module):
    """Pixels (N, 3, H, W) -> logits (N, 2) by `forward`; with a heat map by `forward_with_heatmap`."""

    input: ClassVar[InputSpec]
    architecture: ClassVar[str]

    def forward_with_heatmap(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) -> logits (N, 2) of eval mode, heat map (N, h, w): the contribution of each position to
        logit(ai) - logit(real). Computed without a backward pass, so that it can be exported."""
        raise NotImplementedError

    @classmethod
    def to_train(cls) -> Network:
        """The untrained network that is trained; its `in_use` returns a network of this class."""
        return cls()

    def in_use(self) -> Network:
        """The network to export, in eval mode; it has the same outputs as this trained one."""
        return self


class WithHeatmap(nn.Module):
    """The module that is exported: logits and heat map of a network."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.forward_with_heatmap(pixels)
