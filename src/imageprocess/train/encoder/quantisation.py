"""8-bit integers for an encoder of the user's own, by ONNX Runtime's quantiser."""

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
from .onnx_tower import INPUT, OnnxTower
from .ranges import calibration_batches

Precision = Literal["float", "dynamic8", "static8"]
PRECISIONS: tuple[Precision, ...] = ("float", "dynamic8", "static8")
_CALIBRATION_PICTURES = 64
_LINEAR = ["MatMul", "Gemm"]


def quantise_tower(
    tower: OnnxTower, precision: Precision, data: Path, rows: Sequence[IndexRow], spec: InputSpec, onto: Path
) -> OnnxTower:
    """Write the tower's graph to `onto`, its linear layers in `precision`; the tower of that graph.

    Features, head and the composed model all take this graph: a head that learnt on float features would meet others.
    """
    onnx = require_onnx()
    if precision == "float":
        onnx.save(tower.model, str(onto))
        return tower
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "float.onnx"
        onnx.save(tower.model, str(whole))
        # 7 of 8 bits: AVX2 without VNNI adds pairs of products in 16 bits, and every processor must agree.
        common: dict[str, Any] = {
            "per_channel": True, "reduce_range": True, "weight_type": QuantType.QInt8, "op_types_to_quantize": _LINEAR,
        }  # fmt: skip
        if precision == "dynamic8":
            quantize_dynamic(whole, onto, **common)
        else:
            quantize_static(
                whole, onto, _Calibration(data, rows, spec), activation_type=QuantType.QUInt8, **common
            )
    return replace(tower, model=onnx.load(str(onto)))


class _Calibration:
    """Degraded training pictures, the two views of one after another, as the quantiser asks for them."""

    def __init__(self, data: Path, rows: Sequence[IndexRow], spec: InputSpec) -> None:
        self._batches = calibration_batches(data, rows, spec, _CALIBRATION_PICTURES)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}
