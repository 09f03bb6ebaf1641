"""A ViT that the user has as an ONNX file: cut after the last block used, and put under our head.

The file's own operators run, in their own precision; taps come out as float32. Nothing is known of its names: the
picture's input is the one float input of shape (N, 3, H, W), blocks are found by structure or tapped by name.
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

_PREFIX = "encoder/"  # of the encoder's names in the composed graph
INPUT, _TAP = "imageprocess_pixels", "imageprocess_tap_{}"  # no name of an exporter
_MAX_BYTES = 2_000_000_000  # of one ONNX file


@dataclass(frozen=True, slots=True, eq=False)
class OnnxTower:
    """The cut graph, its names as in `INPUT` and `_TAP`; see `tower.Tower`."""

    model: Any  # onnx.ModelProto
    layout: TokenLayout
    taps: tuple[int | str, ...]

    @property
    def tap_count(self) -> int:
        return len(self.taps)

    def add_to(self, graph: GraphBuilder, pixels: str) -> list[str]:
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
    """A user's ONNX file, read: what there is to choose from."""

    path: Path
    model: Any
    pixels: str  # the picture's input
    side: int | None  # in pixels; None where the file leaves it open
    blocks: tuple[str, ...]  # the value behind each block


def read_encoder(path: Path) -> EncoderFile:
    """Raises ModelError where `path` is no ONNX file, or has no input for pictures."""
    onnx = require_onnx()
    try:
        model = onnx.load(str(path))
    except FileNotFoundError as error:  # weights in a file beside it
        raise ModelError(f"{path}: its weights are in another file that is missing ({error})") from error
    except Exception as error:  # protobuf's decoding errors have no public base class
        raise ModelError(f"{path}: not an ONNX file ({error})") from error
    pixels, side = _picture_input(path, model)
    model = _with_opset(path, model)
    return EncoderFile(path, model, pixels, side, tuple(block_outputs(Graph(model.graph.node, pixels))))


def open_tower(
    encoder: EncoderFile, taps: Sequence[int | str], *, pool: Pool | None = None, side: int | None = None
) -> OnnxTower:
    """Cut `encoder` after its taps: block numbers (1 = the first) or names of values of shape (N, tokens, width).

    `pool` None: the CLS token where there is one, else the mean of the patch tokens. `side` None: the file's own.
    Raises ModelError where the graph does not give what is asked for.
    """
    side = side or encoder.side
    if side is None:
        raise ModelError(f"{encoder.path}: takes pictures of any size; say which with --input")
    if encoder.side not in (None, side):
        raise ModelError(f"{encoder.path}: takes {encoder.side} x {encoder.side} pixels, not {side} x {side}")
    model = _cut(encoder, _tap_values(encoder, taps))
    tokens, width = _try(encoder.path, model, taps, side)
    return OnnxTower(model, _layout(encoder.path, tokens, width, side, pool), tuple(taps))


def default_taps(encoder: EncoderFile) -> tuple[int, ...]:
    """The middle and later blocks, without the last: 5 to 11 of CLIP's 12, and as much of others."""
    count = len(encoder.blocks)
    return tuple(range(max(1, round(count * 5 / 12)), max(2, round(count * 11 / 12) + 1)))


def _picture_input(path: Path, model: Any) -> tuple[str, int | None]:
    held = {tensor.name for tensor in model.graph.initializer}
    shapes = {
        value.name: [item.dim_value for item in value.type.tensor_type.shape.dim]
        for value in model.graph.input
        if value.name not in held
    }
    fitting = [name for name, shape in shapes.items() if len(shape) == 4 and shape[1] in (0, 3)]
    if len(fitting) != 1:
        raise ModelError(
            f"{path}: its inputs are {shapes}; exactly one must be a picture (N, 3, height, width), channels first"
        )
    height, width = shapes[fitting[0]][2:]
    if height != width:
        raise ModelError(f"{path}: takes pictures of {width} x {height} pixels; they must be square")
    return fitting[0], height or None


def _with_opset(path: Path, model: Any) -> Any:
    """The model in the operator set of our head, or a later one."""
    import onnx.version_converter

    version = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 1)
    if version >= OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:  # its C++ side raises RuntimeError and others
        raise ModelError(
            f"{path}: is in ONNX operator set {version} and cannot be converted to {OPSET} ({error}); export it anew "
            f"with opset {OPSET} or later"
        ) from error


def _tap_values(encoder: EncoderFile, taps: Sequence[int | str]) -> list[str]:
    if not taps:
        raise ModelError(f"{encoder.path}: no block was found in it; name the tensors to tap with --taps")
    known = {name for node in encoder.model.graph.node for name in node.output}
    values = []
    for tap in taps:
        if isinstance(tap, int):
            if not 1 <= tap <= len(encoder.blocks):
                raise ModelError(
                    f"{encoder.path}: there is no block {tap}; {len(encoder.blocks)} were found. Tensors can be tapped "
                    "by their names, too"
                )
            values.append(encoder.blocks[tap - 1])
        elif tap in known:
            values.append(tap)
        else:
            raise ModelError(f"{encoder.path}: there is no tensor {tap} in its graph")
    return values


def _cut(encoder: EncoderFile, values: Sequence[str]) -> Any:
    """A model of the nodes that `values` need, its input and outputs float32."""
    onnx = require_onnx()
    source, graph = encoder.model, Graph(encoder.model.graph.node, encoder.pixels)
    nodes = [source.graph.node[index] for index in graph.needed_for(values)]
    used = {name for node in nodes for name in node_inputs(node)}
    held = [tensor for tensor in source.graph.initializer if tensor.name in used]
    if sum(tensor.ByteSize() for tensor in held) > _MAX_BYTES:
        raise ModelError(f"{encoder.path}: up to the last tap it is larger than the 2 GB of one ONNX file")
    others = {value.name for value in source.graph.input} - {tensor.name for tensor in held}
    if missing := sorted((others & used) - {encoder.pixels}):
        raise ModelError(f"{encoder.path}: the taps need other inputs than the picture: {', '.join(missing)}")
    given = next(value for value in source.graph.input if value.name == encoder.pixels)
    kind, helper = onnx.TensorProto.FLOAT, onnx.helper
    start = helper.make_node("Cast", [INPUT], [encoder.pixels], to=given.type.tensor_type.elem_type)
    ends = [
        helper.make_node("Cast", [value], [_TAP.format(index)], to=kind) for index, value in enumerate(values)
    ]
    cut = helper.make_graph(
        [start, *nodes, *ends],
        "encoder",
        [helper.make_tensor_value_info(INPUT, kind, ["b", 3, "side", "side"])],
        [helper.make_tensor_value_info(end.output[0], kind, ["b", "tokens", "width"]) for end in ends],
        held,
    )
    return helper.make_model(
        cut,
        opset_imports=source.opset_import,
        functions=source.functions,
        ir_version=max(source.ir_version, 8),
    )


def _try(path: Path, model: Any, taps: Sequence[int | str], side: int) -> tuple[int, int]:
    """Run the cut graph on one and on three noise pictures -> (tokens, width) of its taps."""
    names = [_TAP.format(index) for index in range(len(taps))]
    session = open_graph(model.SerializeToString(), str(path))
    pixels = np.random.default_rng(0).normal(0, 1, (3, 3, side, side)).astype(np.float32)
    try:
        alone, together = (session.run(names, {INPUT: pixels[:count]}) for count in (1, 3))
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        raise ModelError(
            f"{path}: does not run on batches of {side} x {side} pixels ({error}); export it with an open batch axis, "
            "or say another size with --input"
        ) from error
    for tap, one, three in zip(taps, alone, together, strict=True):
        if one.ndim != 3 or three.shape != (3, *one.shape[1:]) or one.shape != alone[0].shape:
            raise ModelError(
                f"{path}: tap {tap} has shape {three.shape} for 3 pictures; taps must be (3, tokens, width), all alike"
            )
        # Of dynamically quantised graphs it does, a little.
        if not np.isfinite(three).all() or _cosine(one[0], three[0]) < 0.8:
            raise ModelError(f"{path}: tap {tap} of a picture depends on the others in its batch")
    tokens, width = alone[0].shape[1:]
    return int(tokens), int(width)


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-9))


def _layout(path: Path, tokens: int, width: int, side: int, pool: Pool | None) -> TokenLayout:
    """A CLS token and registers come before the patches, which are a square."""
    grid = math.isqrt(tokens)
    prefix = tokens - grid**2
    if pool == "cls" and not prefix:
        raise ModelError(
            f"{path}: its {tokens} tokens are {grid} x {grid} patches without a CLS token; use --pool mean"
        )
    return TokenLayout(side, grid, width, prefix, pool or ("cls" if prefix else "mean"))
