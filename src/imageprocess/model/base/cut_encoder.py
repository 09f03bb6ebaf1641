"""Builds the CLIP ViT image tower as an ONNX graph, cut after the last block used.

Dosovitskiy et al. 2021 (arXiv 2010.11929) with the pre-layer-norm and quick GELU of Radford et al. 2021
(arXiv 2103.00020): patches -> tokens + positions -> blocks of attention and MLP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import ModelError
from .graph import CONTRIB, GraphBuilder
from .quantise import Float, Key, LayerQuantisation, quantise_weight
from .tensors import Tensors, count_blocks
from .tower import TokenLayout

HEAD_WIDTH = 64
EPSILON = 1e-5
Observe = Callable[[Key, str], None]


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of the tower."""

    width: int
    patch: int  # side in pixels
    grid: int  # patches per side
    blocks: int

    @property
    def side(self) -> int:
        """Side of the input in pixels."""
        return self.patch * self.grid

    @property
    def tokens(self) -> int:
        return self.grid**2 + 1


def shape_of(tensors: Tensors) -> Shape:
    """Raises ModelError if the tensors are not those of a ViT with square input and heads of width 64."""
    width, _, patch, _ = tensors["embeddings.patch_embedding.weight"].shape
    positions = len(tensors["embeddings.position_embedding.weight"]) - 1
    grid = round(positions**0.5)
    if grid * grid != positions or width % HEAD_WIDTH:
        raise ModelError(
            f"the encoder has {positions} patch positions and width {width}: not a square ViT with 64-wide heads"
        )
    return Shape(width, patch, grid, count_blocks(tensors))


def add_vit(
    graph: GraphBuilder,
    pixels: str,
    tensors: Tensors,
    taps: Sequence[int],
    quantisation: Mapping[Key, LayerQuantisation] | None = None,
    observe: Observe | None = None,
) -> list[str]:
    """Append the tower. Returns the tokens (B, tokens, width) after each block in `taps` (1 = the first), in order.

    `pixels` (B, 3, side, side) float32. `quantisation` None: float32 matrices. `observe` is called with the key of
    each linear layer and the name of its input. Raises ModelError.
    """
    shape = shape_of(tensors)
    if not taps or min(taps) < 1 or max(taps) > shape.blocks or list(taps) != sorted(set(taps)):
        raise ModelError(f"taps are {list(taps)}; they must be increasing numbers from 1 to {shape.blocks}")
    block = _Block(graph, tensors, shape, quantisation, observe or (lambda key, value: None))
    tokens = _embed(graph, pixels, tensors, shape)
    tap_tokens = []
    for number in range(max(taps)):
        tokens = block.add(tokens, number)
        if number + 1 in taps:
            tap_tokens.append(tokens)
    return tap_tokens


@dataclass(frozen=True, slots=True, eq=False)
class ClipTower:
    """The CLIP tower as a head's encoder, see `tower.Tower`."""

    tensors: Tensors
    taps: tuple[int, ...]
    quantisation: Mapping[Key, LayerQuantisation] | None

    @property
    def layout(self) -> TokenLayout:
        shape = shape_of(self.tensors)
        return TokenLayout(shape.side, shape.grid, shape.width)

    @property
    def tap_count(self) -> int:
        return len(self.taps)

    def add_to(self, graph: GraphBuilder, pixels: str) -> list[str]:
        return add_vit(graph, pixels, self.tensors, self.taps, self.quantisation)


def _embed(graph: GraphBuilder, pixels: str, tensors: Tensors, shape: Shape) -> str:
    patches = graph.add(
        "Conv",
        pixels,
        tensors["embeddings.patch_embedding.weight"],
        kernel_shape=[shape.patch, shape.patch],
        strides=[shape.patch, shape.patch],
    )
    patches = graph.add("Reshape", patches, np.array([0, shape.width, -1], np.int64))
    patches = graph.add("Transpose", patches, perm=[0, 2, 1])
    positions = tensors["embeddings.position_embedding.weight"]
    first = (tensors["embeddings.class_embedding"] + positions[0]).reshape(1, 1, shape.width)
    batch = graph.add("Shape", patches, start=0, end=1)
    target = graph.add("Concat", batch, np.array([1, shape.width], np.int64), axis=0)
    first_token = graph.add("Expand", first, target)
    tokens = graph.add("Concat", first_token, graph.add("Add", patches, positions[1:][None]), axis=1)
    return graph.add(
        "LayerNormalization",
        tokens,
        tensors["pre_layrnorm.weight"],  # spelled like this in the checkpoint
        tensors["pre_layrnorm.bias"],
        axis=-1,
        epsilon=EPSILON,
    )


class _Block:
    """Appends transformer blocks, in float32 or with quantised linear layers."""

    def __init__(
        self,
        graph: GraphBuilder,
        tensors: Tensors,
        shape: Shape,
        quantisation: Mapping[Key, LayerQuantisation] | None,
        observe: Observe,
    ) -> None:
        self._graph, self._tensors, self._shape = graph, tensors, shape
        self._quantisation, self._observe = quantisation, observe

    def add(self, tokens: str, number: int) -> str:
        graph, name = self._graph, f"encoder.layers.{number}."
        inside = self._norm(tokens, f"{name}layer_norm1", f"{number}.qkv")
        weight, bias = linear_layer(self._tensors, f"{number}.qkv")
        parts = graph.add_many(
            "Split", 3, self._linear(inside, weight, bias, f"{number}.qkv"), axis=-1, num_outputs=3
        )
        heads = self._shape.width // HEAD_WIDTH
        mixed = graph.add("MultiHeadAttention", *parts, domain=CONTRIB, num_heads=heads)
        mixed = self._linear(mixed, *linear_layer(self._tensors, f"{number}.out"), f"{number}.out")
        tokens = graph.add("Add", tokens, mixed)
        inside = self._norm(tokens, f"{name}layer_norm2", f"{number}.fc1")
        inside = self._linear(inside, *linear_layer(self._tensors, f"{number}.fc1"), f"{number}.fc1")
        inside = graph.add("QuickGelu", inside, domain=CONTRIB, alpha=1.702)
        inside = self._linear(inside, *linear_layer(self._tensors, f"{number}.fc2"), f"{number}.fc2")
        return graph.add("Add", tokens, inside)

    def _norm(self, tokens: str, name: str, key: Key) -> str:
        """Layer norm. The smoothing of the linear layer after it is folded into its weight and bias."""
        smoothing = np.float32(1) if self._quantisation is None else self._quantisation[key].smoothing
        return self._graph.add(
            "LayerNormalization",
            tokens,
            (self._tensors[f"{name}.weight"] / smoothing).astype(np.float32),
            (self._tensors[f"{name}.bias"] / smoothing).astype(np.float32),
            axis=-1,
            epsilon=EPSILON,
        )

    def _linear(self, value: str, weight: Float, bias: Float, key: Key) -> str:
        self._observe(key, value)
        graph = self._graph
        if self._quantisation is None:
            return graph.add("Add", graph.add("MatMul", value, weight), bias)
        layer = self._quantisation[key]
        if not key.endswith(("qkv", "fc1")):  # the smoothing of these is in the layer norm
            value = graph.add("Mul", value, (1 / layer.smoothing).astype(np.float32))
        quantised = quantise_weight(weight * layer.smoothing[:, None])
        return graph.add(
            "MatMulIntegerToFloat",
            graph.add("QuantizeLinear", value, layer.scale, layer.zero_point),
            quantised.values,
            layer.scale,
            quantised.scale,
            layer.zero_point,
            np.zeros(len(quantised.scale), np.int8),
            bias,
            domain=CONTRIB,
        )


def linear_layer(tensors: Tensors, key: Key) -> tuple[Float, Float]:
    """The weight (inputs, outputs) and bias (outputs,) of "<block>.<layer>"; query, key and value are concatenated.
    Raises ModelError if a tensor is missing."""
    number, layer = key.split(".")
    name = f"encoder.layers.{number}."
    if layer == "qkv":
        names = [f"{name}self_attn.{part}_proj" for part in "qkv"]
    else:
        names = [name + {"out": "self_attn.out_proj", "fc1": "mlp.fc1", "fc2": "mlp.fc2"}[layer]]
    try:
        weights = np.concatenate([tensors[f"{part}.weight"] for part in names], axis=1)
        return weights, np.concatenate([tensors[f"{part}.bias"] for part in names])
    except KeyError as error:
        raise ModelError(f"the encoder lacks the tensor {error}") from error
