"""A second head on an encoder's taps: the family of generators, and an embedding for the closest training sources. It
never decides whether an AI made the image.

Both read the whole image and the first crop at native resolution together, at some of the taps. Weights are 8-bit
integers with one scale per output, standardisation folded in.

maker.npz    slots (K,): which of the taps, 0 = the first; hidden (2, features, H), hidden_scale (H,), hidden_bias (H,),
             output (H, families), output_bias (families,): the logits of the families;
             embedding (2, features, E), embedding_scale (E,), embedding_bias (E,): a linear embedding
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from .graph import GraphBuilder
from .tower import TokenLayout, add_pooled

FILE_NAME = "maker.npz"
OUTPUTS = ("maker_logits", "embedding")
Float = NDArray[np.float32]
_AXIS_1 = np.array([1], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Linear8:
    """A linear layer with 8-bit weights on features x of whole image and crop: x @ (weight * scale) + bias."""

    weight: NDArray[np.int8]  # (2, features, outputs): for the whole image and for the crop
    scale: Float  # (outputs,)
    bias: Float  # (outputs,)

    @classmethod
    def of(cls, weight: Float, bias: Float) -> Linear8:
        """Quantise `weight` (2 * features, outputs)."""
        scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / 127
        values = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
        halves = values.reshape(2, len(weight) // 2, -1)
        return cls(halves, scale.astype(np.float32), bias.astype(np.float32))

    def apply(self, features: Float) -> Float:
        """features (N, 2 * features) -> (N, outputs)"""
        weight = self.weight.reshape(-1, self.weight.shape[2]) * self.scale
        return np.asarray(features @ weight + self.bias, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class MakerHead:
    slots: NDArray[np.int64]  # (K,) indices into the taps
    hidden: Linear8
    output: Float  # (H, families)
    output_bias: Float  # (families,)
    embedding: Linear8

    def logits(self, features: Float) -> Float:
        """features (N, 2 * K * width) -> (N, families), as the graph computes them."""
        return np.asarray(np.maximum(self.hidden.apply(features), 0) @ self.output + self.output_bias)

    def save(self, path: Path) -> None:
        layers = {"hidden": self.hidden, "embedding": self.embedding}
        arrays: dict[str, NDArray[Any]] = {
            "slots": self.slots,
            "output": self.output,
            "output_bias": self.output_bias,
        }
        for name, layer in layers.items():
            arrays |= {name: layer.weight, f"{name}_scale": layer.scale, f"{name}_bias": layer.bias}
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load_maker(path: Path) -> MakerHead:
    """Read maker.npz. Raises ModelError if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            layers = [
                Linear8(arrays[name], arrays[f"{name}_scale"], arrays[f"{name}_bias"])
                for name in ("hidden", "embedding")
            ]
            return MakerHead(arrays["slots"], layers[0], arrays["output"], arrays["output_bias"], layers[1])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as a maker head ({error})") from error


def add_maker(
    graph: GraphBuilder, tap_tokens: list[str], maker: MakerHead, views: str, layout: TokenLayout
) -> dict[str, str]:
    """Append the head. `tap_tokens` and `views` as in `head.add_head`. Returns the values `maker_logits` (N, families)
    and `embedding` (N, E) by name."""
    tokens = graph.add("Concat", *(tap_tokens[slot] for slot in maker.slots), axis=2)
    width = np.array([maker.hidden.weight.shape[1]], np.int64)
    features = graph.add(
        "Reshape", add_pooled(graph, tokens, layout), graph.add("Concat", views, width, axis=0)
    )  # (N, V, features)
    pair = [graph.add("Gather", features, np.int64(view), axis=1) for view in (0, 1)]
    hidden = graph.add("Relu", _linear(graph, pair, maker.hidden))
    logits = graph.add("Add", graph.add("MatMul", hidden, maker.output), maker.output_bias)
    return {"maker_logits": logits, "embedding": _linear(graph, pair, maker.embedding)}


def _linear(graph: GraphBuilder, pair: list[str], layer: Linear8) -> str:
    parts = [
        graph.add("MatMul", view, graph.add("DequantizeLinear", weight, layer.scale, axis=1))
        for view, weight in zip(pair, layer.weight, strict=True)
    ]
    return graph.add("Add", graph.add("Add", *parts), layer.bias)
