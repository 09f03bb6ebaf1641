"""The classification head on an encoder's taps: its file of weights, and its part of the graph.

The head reads two views of an image together: the whole image and one crop at native resolution. Its features are the
CLS token (or the mean patch token) after each tap, standardised. With several crops, it is applied to each of them
with the whole image, and the logits are averaged.

head.npz    hidden (2, features, H) int8 and hidden_scale (H,): standardisation folded in; hidden_bias (H,);
            output (H,), output_bias (); patches (taps * width,), patches_bias (): a linear probe of the patch tokens,
            for the heat map
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from .graph import GraphBuilder
from .tower import TokenLayout, add_patches, add_pooled

Float = NDArray[np.float32]
_FIELDS = ("hidden", "hidden_scale", "hidden_bias", "output", "output_bias", "patches", "patches_bias")
_AXIS_1 = np.array([1], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    hidden: NDArray[np.int8]  # (2, features, H): for the whole image and for a crop
    hidden_scale: Float  # (H,)
    hidden_bias: Float  # (H,)
    output: Float  # (H,)
    output_bias: np.float32
    patches: Float  # (taps * width,)
    patches_bias: np.float32

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **{name: np.asarray(getattr(self, name)) for name in _FIELDS})  # type: ignore[arg-type]


def load_head(path: Path) -> Head:
    """Read head.npz. Raises ModelError if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as a head ({error})") from error
    scalars = {name: np.float32(values[name]) for name in ("output_bias", "patches_bias")}
    return Head(**{**values, **scalars})


def add_head(
    graph: GraphBuilder, tap_tokens: list[str], head: Head, views: str, layout: TokenLayout
) -> dict[str, str]:
    """Append the head. `tap_tokens`: tokens (N * V, tokens, width) after each tap; `views`: an int64 value [N, V].
    Returns the values `logits` (N, 2), `view_logits` (N, V - 1) and `heatmap` (N, V, grid, grid) by name."""
    tokens = graph.add("Concat", *tap_tokens, axis=2)  # (N * V, tokens, taps * width)
    patches = add_patches(graph, tokens, layout)
    width = np.array([head.hidden.shape[1]], np.int64)
    features = graph.add(
        "Reshape", add_pooled(graph, tokens, layout), graph.add("Concat", views, width, axis=0)
    )  # (N, V, features)
    whole = graph.add("Slice", features, np.array([0], np.int64), _AXIS_1, _AXIS_1)
    crops = graph.add("Slice", features, _AXIS_1, np.array([1 << 31], np.int64), _AXIS_1)
    hidden = graph.add(
        "Add", _product(graph, whole, head, 0), _product(graph, crops, head, 1)
    )  # (N, V - 1, H)
    hidden = graph.add("Relu", graph.add("Add", hidden, head.hidden_bias))
    crop_logits = graph.add("Add", graph.add("MatMul", hidden, head.output[:, None]), head.output_bias)
    view_logits = graph.add("Squeeze", crop_logits, np.array([2], np.int64))
    logit = graph.add("ReduceMean", view_logits, _AXIS_1, keepdims=1)  # (N, 1)
    half = graph.add("Mul", logit, np.float32(0.5))
    logits = graph.add("Concat", half, graph.add("Neg", half), axis=1)
    patch_logits = graph.add("Add", graph.add("MatMul", patches, head.patches[:, None]), head.patches_bias)
    shape = graph.add("Concat", views, np.array([layout.grid, layout.grid], np.int64), axis=0)
    return {
        "logits": logits,
        "view_logits": view_logits,
        "heatmap": graph.add("Reshape", patch_logits, shape),
    }


def _product(graph: GraphBuilder, features: str, head: Head, part: int) -> str:
    weight = graph.add("DequantizeLinear", head.hidden[part], head.hidden_scale, axis=1)
    return graph.add("MatMul", features, weight)
