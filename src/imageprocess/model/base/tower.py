"""The interface between an encoder and a head: the layout of tokens, and adding an encoder to a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from .graph import GraphBuilder

Pool = Literal["cls", "mean"]
POOLS: tuple[Pool, ...] = ("cls", "mean")
_AXIS_1 = np.array([1], np.int64)
_END = np.array([1 << 31], np.int64)


@dataclass(frozen=True, slots=True)
class TokenLayout:
    """The tokens of one view: `prefix` of them (CLS, registers), then grid * grid patches, row by row."""

    side: int  # of the input, in pixels
    grid: int  # patches per side
    width: int
    prefix: int = 1
    pool: Pool = "cls"  # the view's features: its first token, or the mean of its patch tokens

    @property
    def tokens(self) -> int:
        return self.prefix + self.grid**2


class Tower(Protocol):
    """An encoder cut after the last block used."""

    @property
    def layout(self) -> TokenLayout: ...

    @property
    def tap_count(self) -> int: ...

    def add_to(self, graph: GraphBuilder, pixels: str) -> list[str]:
        """Append the encoder for `pixels` (B, 3, side, side). Returns the tokens (B, tokens, width) after each tap."""
        ...


def add_pooled(graph: GraphBuilder, tokens: str, layout: TokenLayout) -> str:
    """tokens (B, tokens, D) -> (B, D)"""
    if layout.pool == "cls":
        return graph.add("Gather", tokens, np.int64(0), axis=1)
    return graph.add("ReduceMean", add_patches(graph, tokens, layout), _AXIS_1, keepdims=0)


def add_patches(graph: GraphBuilder, tokens: str, layout: TokenLayout) -> str:
    """tokens (B, tokens, D) -> (B, grid * grid, D)"""
    return graph.add("Slice", tokens, np.array([layout.prefix], np.int64), _END, _AXIS_1)
