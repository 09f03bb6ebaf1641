"""The student's ONNX graph: batch normalisation folded into the convolutions, optionally quantised to 8 bits.

Input and outputs are those of every model of several views (`model.spec`): `pixels` (N, V, 3, side, side) -> `logits`
(N, 2), `view_logits` (N, V - 1), `heatmap` (N, V, h, w).
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
from .network import INPUT, WIDTH, Block, Student, fold_norm

_AXIS_1 = np.array([1], np.int64)
_END = np.array([1 << 31], np.int64)
_STRIDE = 32  # of the last maps, in pixels


def write_graph(student: Student, path: Path) -> None:
    """Write the graph with float32 weights and arithmetic to `path`."""
    graph = GraphBuilder()
    side = INPUT.height
    views = graph.add("Shape", "pixels", start=0, end=2)
    flat = graph.add("Reshape", "pixels", np.array([-1, 3, side, side], np.int64))
    maps = _backbone(graph, student, flat)
    for name, value in _head_outputs(graph, student, maps, views).items():
        graph.rename(value, name)
    grid = side // _STRIDE
    outputs: dict[str, list[Any]] = {
        "logits": ["n", 2],
        "view_logits": ["n", "crops"],
        "heatmap": ["n", "views", grid, grid],
    }
    onnx.save(graph.model("imageprocess", {"pixels": ["n", "views", 3, side, side]}, outputs), str(path))


def _backbone(graph: GraphBuilder, student: Student, values: str) -> str:
    net = student.backbone
    values = _conv(graph, values, net._conv_stem, net._bn0, relu6=True)
    for block in net._blocks:
        assert isinstance(block, Block)
        branch = values
        if block.expands:
            branch = _conv(graph, branch, block._expand_conv, block._bn0, relu6=True)
        branch = _conv(graph, branch, block._depthwise_conv, block._bn1, relu6=True)
        branch = _conv(graph, branch, block._project_conv, block._bn2, relu6=False)
        values = graph.add("Add", branch, values) if block.adds else branch
    return _conv(graph, values, net._conv_head, net._bn1, relu6=True)


def _conv(graph: GraphBuilder, values: str, conv: nn.Conv2d, norm: nn.BatchNorm2d, *, relu6: bool) -> str:
    weight, bias = (_array(part) for part in fold_norm(conv, norm))
    kernel, stride = weight.shape[2], conv.stride[0]
    before = (kernel - stride) // 2  # as `network._SamePad` pads
    after = kernel - stride - before
    convolved = graph.add(
        "Conv", values, weight, bias,
        kernel_shape=[kernel, kernel], strides=[stride, stride], group=conv.groups,
        pads=[before, before, after, after],
    )  # fmt: skip
    return graph.add("Clip", convolved, np.float32(0), np.float32(6)) if relu6 else convolved


def _head_outputs(graph: GraphBuilder, student: Student, maps: str, views: str) -> dict[str, str]:
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
    pair_logits = graph.add("MatMul", hidden, _array(student.output.weight).T)
    pair_logits = graph.add("Add", pair_logits, _array(student.output.bias))
    view_logits = graph.add("Squeeze", pair_logits, np.array([2], np.int64))  # (N, V - 1)
    half = graph.add("Mul", graph.add("ReduceMean", view_logits, _AXIS_1, keepdims=1), np.float32(0.5))
    logits = graph.add("Concat", half, graph.add("Neg", half), axis=1)
    grid = INPUT.height // _STRIDE
    view_weight = _array(student.view.weight)[:, :, None, None] / grid**2
    heat = graph.add("Conv", maps, view_weight, _array(student.view.bias) / grid**2, kernel_shape=[1, 1])
    shape = graph.add("Concat", views, np.array([grid, grid], np.int64), axis=0)
    return {"logits": logits, "view_logits": view_logits, "heatmap": graph.add("Reshape", heat, shape)}


def _array(value: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(value.detach().float().numpy())


def write_eight_bit_graph(float_graph: Path, path: Path, batches: Iterator[NDArray[np.float32]]) -> None:
    """Write `float_graph` with its backbone in 8 bits to `path`: weights quantised per output channel, activations per
    tensor by their range over `batches`, each (N, V, 3, side, side). The layers on the last maps stay in float32.

    Weights use 7 bits: without VNNI, AVX2 adds pairs of products in 16 bits and saturates, and every processor and
    browser must compute the same integers. The nodes of the file `float_graph` get names.
    """
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

    graph = onnx.load(float_graph)
    for index, node in enumerate(graph.graph.node):
        node.name = f"{node.op_type}_{index}"
    onnx.save(graph, float_graph)
    heatmap_conv = [node.name for node in graph.graph.node if node.op_type == "Conv"][-1]
    quantize_static(
        str(float_graph),
        str(path),
        Reader(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Add", "Clip"],
        nodes_to_exclude=[heatmap_conv, *_after_pooling(graph)],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )


def _after_pooling(graph: onnx.ModelProto) -> list[str]:
    names = [node.name for node in graph.graph.node]
    first = next(index for index, node in enumerate(graph.graph.node) if node.op_type == "ReduceMean")
    return names[first:]
