"""The student's ONNX graph: normalisations folded into the convolutions, then, if wanted, 8-bit arithmetic.

The graph is the one of every model of several views (see `model.spec`): `pixels` (N, V, 3, side, side) -> `logits`,
`view_logits`, `heatmap`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import Tensor, nn

from ...model.base.graph import GraphBuilder
from .network import INPUT, WIDTH, Block, Student, folded

_AXIS_1 = np.array([1], np.int64)
_END = np.array([1 << 31], np.int64)
_REDUCTION = 32  # of the backbone


def write_graph(student: Student, path: Path) -> None:
    """In float32."""
    graph = GraphBuilder()
    side = INPUT.height
    views = graph.add("Shape", "pixels", start=0, end=2)
    flat = graph.add("Reshape", "pixels", np.array([-1, 3, side, side], np.int64))
    maps = _backbone(graph, student, flat)
    for name, value in _readings(graph, student, maps, views).items():
        graph.rename(value, name)
    grid = side // _REDUCTION
    outputs: dict[str, list[Any]] = {
        "logits": ["n", 2],
        "view_logits": ["n", "crops"],
        "heatmap": ["n", "views", grid, grid],
    }
    onnx.save(graph.model("imageprocess", {"pixels": ["n", "views", 3, side, side]}, outputs), str(path))


def _backbone(graph: GraphBuilder, student: Student, values: str) -> str:
    net = student.backbone
    values = _conv(graph, values, net._conv_stem, net._bn0, clipped=True)
    for block in net._blocks:
        assert isinstance(block, Block)
        found = values
        if block.expands:
            found = _conv(graph, found, block._expand_conv, block._bn0, clipped=True)
        found = _conv(graph, found, block._depthwise_conv, block._bn1, clipped=True)
        found = _conv(graph, found, block._project_conv, block._bn2, clipped=False)
        values = graph.add("Add", found, values) if block.adds else found
    return _conv(graph, values, net._conv_head, net._bn1, clipped=True)


def _conv(graph: GraphBuilder, values: str, conv: nn.Conv2d, norm: nn.BatchNorm2d, *, clipped: bool) -> str:
    weight, bias = (_array(part) for part in folded(conv, norm))
    kernel, stride = weight.shape[2], conv.stride[0]
    before = (kernel - stride) // 2  # as the network pads
    behind = kernel - stride - before
    found = graph.add(
        "Conv", values, weight, bias,
        kernel_shape=[kernel, kernel], strides=[stride, stride], group=conv.groups,
        pads=[before, before, behind, behind],
    )  # fmt: skip
    return graph.add("Clip", found, np.float32(0), np.float32(6)) if clipped else found


def _readings(graph: GraphBuilder, student: Student, maps: str, views: str) -> dict[str, str]:
    pooled = graph.add("ReduceMean", maps, np.array([2, 3], np.int64), keepdims=0)
    shape = graph.add("Concat", views, np.array([WIDTH], np.int64), axis=0)
    pooled = graph.add("Reshape", pooled, shape)  # (N, V, 1280)
    whole = graph.add("Slice", pooled, np.array([0], np.int64), _AXIS_1, _AXIS_1)
    crops = graph.add("Slice", pooled, _AXIS_1, _END, _AXIS_1)
    weight = _array(student.hidden.weight).T  # (2 * 1280, hidden)
    parts = [
        graph.add("MatMul", part, np.ascontiguousarray(half))
        for part, half in ((whole, weight[:WIDTH]), (crops, weight[WIDTH:]))
    ]
    hidden = graph.add("Relu", graph.add("Add", graph.add("Add", *parts), _array(student.hidden.bias)))
    each = graph.add("MatMul", hidden, _array(student.output.weight).T)
    each = graph.add("Add", each, _array(student.output.bias))
    beside = graph.add("Squeeze", each, np.array([2], np.int64))  # (N, V - 1)
    half = graph.add("Mul", graph.add("ReduceMean", beside, _AXIS_1, keepdims=1), np.float32(0.5))
    logits = graph.add("Concat", half, graph.add("Neg", half), axis=1)
    grid = INPUT.height // _REDUCTION
    reading = _array(student.view.weight)[:, :, None, None] / grid**2
    heat = graph.add("Conv", maps, reading, _array(student.view.bias) / grid**2, kernel_shape=[1, 1])
    shape = graph.add("Concat", views, np.array([grid, grid], np.int64), axis=0)
    return {"logits": logits, "view_logits": beside, "heatmap": graph.add("Reshape", heat, shape)}


def _array(value: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(value.detach().float().numpy())


def write_eight_bit_graph(wide: Path, path: Path, batches: Iterator[NDArray[np.float32]]) -> None:
    """`wide` with its backbone in 8 bits: weights by output channel, activations by their range over `batches`, each
    (N, V, 3, side, side). The readings of the last maps stay in float32.

    Weights keep 7 bits: without VNNI, AVX2 adds pairs of products in 16 bits and saturates, and every processor and
    browser must give the same integers."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(batches, None)
            return None if batch is None else {"pixels": batch}

    graph = onnx.load(wide)
    for index, node in enumerate(graph.graph.node):
        node.name = f"{node.op_type}_{index}"
    onnx.save(graph, wide)
    heat = [node.name for node in graph.graph.node if node.op_type == "Conv"][-1]
    quantize_static(
        str(wide),
        str(path),
        Reader(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Add", "Clip"],
        nodes_to_exclude=[heat, *_behind_pooling(graph)],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )


def _behind_pooling(graph: onnx.ModelProto) -> list[str]:
    names = [node.name for node in graph.graph.node]
    first = next(index for index, node in enumerate(graph.graph.node) if node.op_type == "ReduceMean")
    return names[first:]
