"""Low-rank adapters (LoRA, arXiv 2106.09685) of an encoder's linear layers: their file, and merging them into weights.

adapter.npz    for each layer "encoder.layers.N.<layer>": <layer>.down (inputs, rank) and <layer>.up (rank, outputs),
               float16, including the scale: the layer's weight becomes weight + down @ up
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from .tensors import Tensors

FILE_NAME = "adapter.npz"


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    down: NDArray[np.float16]  # (inputs, rank)
    up: NDArray[np.float16]  # (rank, outputs)

    @property
    def change(self) -> NDArray[np.float32]:
        """(inputs, outputs)"""
        return self.down.astype(np.float32) @ self.up.astype(np.float32)


Adapter = Mapping[str, LowRank]  # by the layer's name, "encoder.layers.0.self_attn.q_proj"


def save_adapter(path: Path, adapter: Adapter) -> None:
    arrays = {
        f"{name}.{part}": getattr(layer, part) for name, layer in adapter.items() for part in ("down", "up")
    }
    np.savez_compressed(path, **arrays)


def load_adapter(path: Path) -> Adapter:
    """Read adapter.npz. Raises ModelError if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = sorted(name.removesuffix(".down") for name in arrays if name.endswith(".down"))
            return {name: LowRank(arrays[f"{name}.down"], arrays[f"{name}.up"]) for name in names}
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as an adapter ({error})") from error


def merge(tensors: Tensors, adapter: Adapter) -> Tensors:
    """The encoder's tensors with the adapter merged in. Raises ModelError if the adapter is for another encoder."""
    merged = dict(tensors)
    for name, layer in adapter.items():
        weight = merged.get(f"{name}.weight")
        if weight is None or weight.shape != layer.change.shape:
            shape = "none" if weight is None else weight.shape
            raise ModelError(
                f"the adapter changes {name} with shape {layer.change.shape}, but the encoder's shape is {shape}; the "
                "adapter is for another encoder"
            )
        merged[f"{name}.weight"] = weight + layer.change
    return merged


def read_adapted(tensors: Tensors, adapter: Path | None) -> Tensors:
    """`tensors`, with the adapter in the file `adapter` merged in unless that is None."""
    return merge(tensors, load_adapter(adapter)) if adapter else tensors
