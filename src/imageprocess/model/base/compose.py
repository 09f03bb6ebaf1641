"""Composes the weights of an encoder and a head into one ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .cut_encoder import ClipTower
from .graph import GraphBuilder
from .head import Head, add_head
from .maker import MakerHead, add_maker
from .quantise import Key, LayerQuantisation
from .requirements import require_onnx
from .tensors import Tensors
from .tower import Tower


def compose(
    tensors: Tensors,
    taps: Sequence[int],
    head: Head,
    quantisation: Mapping[Key, LayerQuantisation] | None,
    target: Path,
    maker: MakerHead | None = None,
) -> None:
    """`compose_tower` for the CLIP tower with the weights `tensors`."""
    compose_tower(ClipTower(tensors, tuple(taps), quantisation), head, target, maker)


def compose_tower(tower: Tower, head: Head, target: Path, maker: MakerHead | None = None) -> None:
    """Write the graph to `target`: input `pixels` (N, V, 3, side, side) float32 with V >= 2 views, the whole image
    first; outputs as in `add_head` and `add_maker`. Raises MissingExtraError."""
    onnx = require_onnx()
    graph, layout = GraphBuilder(), tower.layout
    views = graph.add("Shape", "pixels", start=0, end=2)
    flat = graph.add("Reshape", "pixels", np.array([-1, 3, layout.side, layout.side], np.int64))
    tap_tokens = tower.add_to(graph, flat)
    values = add_head(graph, tap_tokens, head, views, layout)
    if maker:
        values |= add_maker(graph, tap_tokens, maker, views, layout)
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
    onnx.save(model, str(target))
