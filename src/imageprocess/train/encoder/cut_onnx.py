"""A ViT from a user's ONNX file, cut after the last tapped block, as the encoder of a head.

The operators of the file are used unchanged and in their own precision; the taps are float32. No names are assumed: the
input image is the only float input of shape (N, 3, H, W), blocks are found by structure or tensors tapped by name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...model.base.graph import OPSET, GraphBuilder
from ...model.base.requirements import require_onnx
from ...model.base.tower import Pool, TokenLayout
from ...model.session import open_graph
from .blocks import Graph, block_outputs, node_inputs

_PREFIX = "encoder/"  # of the names of the encoder's values in the composed graph
INPUT, _TAP = "imageprocess_pixels", "imageprocess_tap_{}"  # names that no exporter uses
_MAX_BYTES = 2_000_000_000  # limit of an ONNX file (protobuf)


@dataclass(frozen=True, slots=True, eq=False)
class OnnxTower:
    """The cut graph, with an input named INPUT and outputs named _TAP. Implements `model.base.tower.Tower`."""

    model: Any  # onnx.ModelProto
    layout: TokenLayout
    taps: tuple[int | str, ...]

    @property
    def tap_count(self) -> int:
        return len(self.taps)

    def add_to(self, graph: GraphBuilder, pixels: str) -> list[str]:
        """Add the encoder to `graph`, reading the value `pixels`. -> names of the taps (N, tokens, width)"""
        import onnx.compose

        model = onnx.compose.add_prefix(self.model, _PREFIX)
        graph.rename(pixels, _PREFIX + INPUT)
        graph.nodes.extend(model.graph.node)
        graph.initializers.extend(model.graph.initializer)
        graph.functions.extend(model.functions)
        for item in model.opset_import:
            graph.imports[item.domain] = max(item.version, graph.imports.get(item.domain, 1))
        return [_PREFIX + _TAP.format(index) for index in range(len(self.taps))]


@dataclass(frozen=True, slots=True, eq=False)
class EncoderFile:
    """A user's ONNX file: its input and the blocks that can be tapped."""

    path: Path
    model: Any
    pixels: str  # name of the input image
    side: int | None  # its size in pixels; None if the file accepts any
    blocks: tuple[str, ...]  # name of the output of each block


def read_encoder(path: Path) -> EncoderFile:
    """Raises ModelError if `path` is not an ONNX file or does not have exactly one image input."""
    onnx = require_onnx()
    try:
        model = onnx.load(str(path))
    except FileNotFoundError as error:  # weights in a file beside it
        raise ModelError(
            f"{path}: the file with its external weights is missing ({error}); put it beside the graph"
        ) from error
    except Exception as error:  # protobuf's decoding errors have no public base class
        raise ModelError(f"{path}: not an ONNX file ({error})") from error
    pixels, side = _image_input(path, model)
    model = _with_opset(path, model)
    return EncoderFile(path, model, pixels, side, tuple(block_outputs(Graph(model.graph.node, pixels))))


def open_tower(
    encoder: EncoderFile, taps: Sequence[int | str], *, pool: Pool | None = None, side: int | None = None
) -> OnnxTower:
    """Cut `encoder` after its taps: block numbers (1 = the first) or names of values of shape (N, tokens, width).

    `pool` None: the CLS token if there is one, else the mean of the patch tokens. `side` None: the size in the file.
    Raises ModelError if a tap does not exist or is unsuitable, or if the graph cannot run at this size.
    """
    side = side or encoder.side
    if side is None:
        raise ModelError(f"{encoder.path}: accepts images of any size; choose one with --input")
    if encoder.side not in (None, side):
        raise ModelError(
            f"{encoder.path}: accepts only {encoder.side} x {encoder.side} pixels, not {side} x {side}; omit --input"
        )
    model = _cut(encoder, _tap_values(encoder, taps))
    tokens, width = _run_test_batches(encoder.path, model, taps, side)
    return OnnxTower(model, _layout(encoder.path, tokens, width, side, pool), tuple(taps))


def default_taps(encoder: EncoderFile) -> tuple[int, ...]:
    """The middle and later blocks without the last one: 5 to 11 of CLIP's 12, and the same share of others."""
    count = len(encoder.blocks)
    return tuple(range(max(1, round(count * 5 / 12)), max(2, round(count * 11 / 12) + 1)))


def _image_input(path: Path, model: Any) -> tuple[str, int | None]:
    """-> the name of the input image, its size in pixels or None if it is not fixed."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    shapes = {
        value.name: [item.dim_value for item in value.type.tensor_type.shape.dim]
        for value in model.graph.input
        if value.name not in initializers
    }
    candidates = [name for name, shape in shapes.items() if len(shape) == 4 and shape[1] in (0, 3)]
    if len(candidates) != 1:
        raise ModelError(
            f"{path}: its inputs are {shapes}; exactly one must be an image (N, 3, height, width), channels first"
        )
    height, width = shapes[candidates[0]][2:]
    if height != width:
        raise ModelError(f"{path}: its input is {width} x {height} pixels; only square inputs are supported")
    return candidates[0], height or None


def _with_opset(path: Path, model: Any) -> Any:
    """The model, converted to the operator set of the head if its own is older."""
    import onnx.version_converter

    version = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 1)
    if version >= OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:  # its C++ side raises RuntimeError and others
        raise ModelError(
            f"{path}: ONNX operator set {version} cannot be converted to {OPSET} ({error}); export the model again "
            f"with opset {OPSET} or later"
        ) from error


def _tap_values(encoder: EncoderFile, taps: Sequence[int | str]) -> list[str]:
    """The names of the tapped values."""
    if not taps:
        raise ModelError(f"{encoder.path}: no transformer blocks found; name the tensors to tap with --taps")
    known = {name for node in encoder.model.graph.node for name in node.output}
    values = []
    for tap in taps:
        if isinstance(tap, int):
            if not 1 <= tap <= len(encoder.blocks):
                raise ModelError(
                    f"{encoder.path}: no block {tap}; it has {len(encoder.blocks)} blocks. --taps also accepts "
                    "names of tensors"
                )
            values.append(encoder.blocks[tap - 1])
        elif tap in known:
            values.append(tap)
        else:
            raise ModelError(f"{encoder.path}: no tensor named {tap} in its graph")
    return values


def _cut(encoder: EncoderFile, values: Sequence[str]) -> Any:
    """A model that computes `values`, with float32 input and outputs."""
    onnx = require_onnx()
    source, graph = encoder.model, Graph(encoder.model.graph.node, encoder.pixels)
    nodes = [source.graph.node[index] for index in graph.needed_for(values)]
    used = {name for node in nodes for name in node_inputs(node)}
    weights = [tensor for tensor in source.graph.initializer if tensor.name in used]
    if sum(tensor.ByteSize() for tensor in weights) > _MAX_BYTES:
        raise ModelError(
            f"{encoder.path}: larger than 2 GB up to the last tap, the limit of an ONNX file; tap earlier blocks"
        )
    others = {value.name for value in source.graph.input} - {tensor.name for tensor in weights}
    if missing := sorted((others & used) - {encoder.pixels}):
        raise ModelError(f"{encoder.path}: the taps need inputs other than the image: {', '.join(missing)}")
    image = next(value for value in source.graph.input if value.name == encoder.pixels)
    kind, helper = onnx.TensorProto.FLOAT, onnx.helper
    start = helper.make_node("Cast", [INPUT], [encoder.pixels], to=image.type.tensor_type.elem_type)
    ends = [
        helper.make_node("Cast", [value], [_TAP.format(index)], to=kind) for index, value in enumerate(values)
    ]
    cut = helper.make_graph(
        [start, *nodes, *ends],
        "encoder",
        [helper.make_tensor_value_info(INPUT, kind, ["b", 3, "side", "side"])],
        [helper.make_tensor_value_info(end.output[0], kind, ["b", "tokens", "width"]) for end in ends],
        weights,
    )
    return helper.make_model(
        cut,
        opset_imports=source.opset_import,
        functions=source.functions,
        ir_version=max(source.ir_version, 8),
    )


def _run_test_batches(path: Path, model: Any, taps: Sequence[int | str], side: int) -> tuple[int, int]:
    """Run the cut graph on a batch of one and a batch of three noise images -> (tokens, width) of its taps."""
    names = [_TAP.format(index) for index in range(len(taps))]
    session = open_graph(model.SerializeToString(), str(path))
    pixels = np.random.default_rng(0).normal(0, 1, (3, 3, side, side)).astype(np.float32)
    try:
        alone, together = (session.run(names, {INPUT: pixels[:count]}) for count in (1, 3))
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        raise ModelError(
            f"{path}: does not run on batches of {side} x {side} pixels ({error}); export it with a dynamic batch "
            "axis, or choose another size with --input"
        ) from error
    for tap, one, three in zip(taps, alone, together, strict=True):
        if one.ndim != 3 or three.shape != (3, *one.shape[1:]) or one.shape != alone[0].shape:
            raise ModelError(
                f"{path}: tap {tap} has shape {three.shape} for 3 images; all taps must have the same shape "
                "(3, tokens, width)"
            )
        # Not exactly 1: in dynamically quantised graphs the images of a batch share their ranges.
        if not np.isfinite(three).all() or _cosine(one[0], three[0]) < 0.8:
            raise ModelError(
                f"{path}: tap {tap} of an image depends on the other images of its batch; tap another tensor"
            )
    tokens, width = alone[0].shape[1:]
    return int(tokens), int(width)


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-9))


def _layout(path: Path, tokens: int, width: int, side: int, pool: Pool | None) -> TokenLayout:
    """Assumes that CLS token and registers come before the patch tokens, and that the patches form a square."""
    grid = math.isqrt(tokens)
    prefix = tokens - grid**2
    if pool == "cls" and not prefix:
        raise ModelError(
            f"{path}: its {tokens} tokens are {grid} x {grid} patches without a CLS token; use --pool mean"
        )
    return TokenLayout(side, grid, width, prefix, pool or ("cls" if prefix else "mean"))
