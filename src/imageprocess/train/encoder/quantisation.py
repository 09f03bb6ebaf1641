"""Quantises a user's own encoder to 8 bits with ONNX Runtime's quantiser."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...data.index import IndexRow
from ...model.base.requirements import require_onnx
from ...model.spec import InputSpec
from .cut_onnx import INPUT, OnnxTower
from .ranges import calibration_batches

Precision = Literal["float", "dynamic8", "static8"]
PRECISIONS: tuple[Precision, ...] = ("float", "dynamic8", "static8")
_CALIBRATION_IMAGES = 64
_LINEAR_OPERATORS = ["MatMul", "Gemm"]


def quantise_tower(
    tower: OnnxTower, precision: Precision, data: Path, rows: Sequence[IndexRow], spec: InputSpec, onto: Path
) -> OnnxTower:
    """Write the graph of the tower with linear layers in `precision` to `onto`. -> a tower of that graph

    Features, head and the composed model all use it, because features of the float graph differ.
    """
    onnx = require_onnx()
    if precision == "float":
        onnx.save(tower.model, str(onto))
        return tower
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

    with tempfile.TemporaryDirectory() as temporary:
        float_graph = Path(temporary) / "float.onnx"
        onnx.save(tower.model, str(float_graph))
        # 7-bit weights: without VNNI, AVX2 adds pairs of products in 16 bits and saturates.
        common: dict[str, Any] = {
            "per_channel": True, "reduce_range": True, "weight_type": QuantType.QInt8,
            "op_types_to_quantize": _LINEAR_OPERATORS,
        }  # fmt: skip
        if precision == "dynamic8":
            quantize_dynamic(float_graph, onto, **common)
        else:
            quantize_static(
                float_graph, onto, _Calibration(data, rows, spec), activation_type=QuantType.QUInt8, **common
            )
    return replace(tower, model=onnx.load(str(onto)))


class _Calibration:
    """The data reader of the quantiser: batches of the two views of a degraded training image."""

    def __init__(self, data: Path, rows: Sequence[IndexRow], spec: InputSpec) -> None:
        self._batches = calibration_batches(data, rows, spec, _CALIBRATION_IMAGES)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}
