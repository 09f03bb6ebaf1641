"""Base weights + our head -> one ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .graph import GraphBuilder
from .head import Head, add_head
from .maker import MakerHead, add_maker
from .quantise import Key, LayerQuantisation
from .requirements import require_onnx
from .tensors import Tensors
from .tower import Tower
from .vit import ClipTower


def compose(
    tensors: Tensors,
    taps: Sequence[int],
    head: Head,
    quantisation: Mapping[Key, LayerQuantisation] | None,
    onto: Path,
    maker: MakerHead | None = None,
) -> None:
    """`compose_tower` of the CLIP tower that `tensors` hold."""
    compose_tower(ClipTower(tensors, tuple(taps), quantisation), head, onto, maker)


def compose_tower(tower: Tower, head: Head, onto: Path, maker: MakerHead | None = None) -> None:
    """Write the graph to `onto`: input `pixels` (N, V, 3, side, side) float32 with V >= 2 views, the whole first;
    outputs as `add_head` and `add_maker` name them."""
    onnx = require_onnx()
    graph, layout = GraphBuilder(), tower.layout
    views = graph.add("Shape", "pixels", start=0, end=2)
    flat = graph.add("Reshape", "pixels", np.array([-1, 3, layout.side, layout.side], np.int64))
    tapped = tower.add_to(graph, flat)
    values = add_head(graph, tapped, head, views, layout)
    if maker:
        values |= add_maker(graph, tapped, maker, views, layout)
    for name, value in values.items():
        graph.rename(value, name)
    outputs: dict[str, list[Any]] = {
        "logits": ["n", 2],
        "view_logits": ["n", "crops"],
        "heatmap": ["n", "views", layout.grid, layout.grid],
    }
    if maker:
        outputs |= {
            "maker_logits": ["n", len(maker.output_bias)],
            "embedding": ["n", len(maker.embedding.bias)],
        }
    model = graph.model("imageprocess", {"pixels": ["n", "views", 3, layout.side, layout.side]}, outputs)
    onnx.save(model, str(onto))
