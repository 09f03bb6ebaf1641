"""Base weights + our head -> one ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .graph import GraphBuilder
from .head import Head, add_head
from .quantise import Key, LayerQuantisation
from .requirements import require_onnx
from .tensors import Tensors
from .vit import add_vit, shape_of


def compose(
    tensors: Tensors,
    taps: Sequence[int],
    head: Head,
    quantisation: Mapping[Key, LayerQuantisation] | None,
    onto: Path,
) -> None:
    """Write the graph to `onto`: input `pixels` (N, V, 3, side, side) float32 with V >= 2 views, the whole first;
    outputs as `add_head` names them."""
    onnx = require_onnx()
    graph = GraphBuilder()
    shape = shape_of(tensors)
    views = graph.add("Shape", "pixels", start=0, end=2)
    flat = graph.add("Reshape", "pixels", np.array([-1, 3, shape.side, shape.side], np.int64))
    tapped = add_vit(graph, flat, tensors, taps, quantisation)
    for name, value in add_head(graph, tapped, head, views, shape.grid).items():
        graph.rename(value, name)
    outputs: dict[str, list[Any]] = {
        "logits": ["n", 2],
        "view_logits": ["n", "crops"],
        "heatmap": ["n", "views", shape.grid, shape.grid],
    }
    model = graph.model("imageprocess", {"pixels": ["n", "views", 3, shape.side, shape.side]}, outputs)
    onnx.save(model, str(onto))
