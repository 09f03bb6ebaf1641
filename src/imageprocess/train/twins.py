"""A network, and twins of it that learn from the same batches, each without a part of the sources.

What a twin says of sources that it has never seen is what the network will say of others: a blend is weighed and
calibrated on that (`blend`). Delivered once for all of them, a batch costs a GPU little more than the network's steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data.index import IndexRow
from ..errors import UsageError
from .nets import Network


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """As a run has left it, in eval mode."""

    network: Network
    unseen: frozenset[str]  # sources


class Twins(nn.Module):
    """The network first, then its twins: `forward` asks one of them."""

    def __init__(self, net: type[Network], twins: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(net.to_train() for _ in range(1 + twins))

    def forward(self, pixels: Tensor, which: int = 0) -> Tensor:
        logits: Tensor = self.networks[which](pixels)
        return logits

    def save(self, out: Path, training: Sequence[IndexRow], folds: NDArray[np.intp]) -> None:
        """OUT/best.pth, and OUT/twin-1.pth and so on, each with the sources of its fold, which it has not seen."""
        torch.save(self.networks[0].state_dict(), out / "best.pth")
        for number, network in enumerate(self.networks[1:], start=1):
            unseen = {training[place].source for place in np.flatnonzero(folds == number).tolist()}
            kept = {"unseen": sorted(unseen), "weights": network.state_dict()}
            torch.save(kept, out / f"twin-{number}.pth")


def read_twins(out: Path, net: type[Network]) -> list[Twin]:
    """Those that a run of `net` has left in `out`; none where it had none."""
    found = []
    for path in sorted(out.glob("twin-*.pth")):
        kept = torch.load(path, weights_only=True, map_location="cpu")
        network = net.to_train()
        network.load_state_dict(kept["weights"])
        found.append(Twin(network.eval().in_use(), frozenset(kept["unseen"])))
    return found


def without(sources: frozenset[str], twins: Sequence[Twin], net: str) -> Network:
    """The one of `net`'s twins that has seen all but these sources. Raises UsageError where none is it."""
    for twin in twins:
        if twin.unseen == sources:
            return twin.network
    raise UsageError(
        f"{net}: its twins were trained with other folds of sources, or other data, than the blend's"
    )
