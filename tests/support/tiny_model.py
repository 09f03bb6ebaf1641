"""A model folder with a predictable model: only the mean brightness of the image decides."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 32  # pixels per side
GRID = 4  # heat map cells per side
WEIGHT = 4.0  # logit(ai) - logit(real) is WEIGHT * brightness, where black is -1 and white +1
TEMPERATURE = 0.5


def write_tiny_model(folder: Path) -> Path:
    """Write model.onnx, model.json and CARD.md into `folder`."""
    folder.mkdir(parents=True)
    onnx.save(_graph(), folder / "model.onnx")
    (folder / "CARD.md").write_text("# tiny\n\nBrightness decides. For tests.\n", encoding="utf-8")
    files = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "CARD.md")
    }
    facts = {
        "schema": 1,
        "name": "tiny",
        "version": "1",
        "classes": ["ai_image", "real_image"],
        "input": {"width": SIZE, "height": SIZE, "filter": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3},
        "outputs": ["logits", "heatmap"],
        "calibration": {"temperature": TEMPERATURE, "bias": 0.0},
        "thresholds": {
            "high-confidence": {"ai": 0.99, "real": 0.01},
            "balanced": {"ai": 0.8, "real": 0.2},
            "best-guess": {"ai": 0.5, "real": 0.5},
        },
        "files": files,
    }
    (folder / "model.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return folder


def _graph() -> onnx.ModelProto:
    cell = SIZE // GRID
    halves = np.full((3, 2), WEIGHT / 6, dtype=np.float32) * np.array([1, -1], dtype=np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
        helper.make_node("Gemm", ["means", "weight"], ["logits"]),
        helper.make_node(
            "AveragePool", ["pixels"], ["cells"], kernel_shape=[cell, cell], strides=[cell, cell]
        ),
        helper.make_node("ReduceMean", ["cells"], ["grey"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["grey", "share"], ["heatmap"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2]),
            helper.make_tensor_value_info("heatmap", TensorProto.FLOAT, ["N", GRID, GRID]),
        ],
        [
            numpy_helper.from_array(halves, "weight"),
            numpy_helper.from_array(np.float32(WEIGHT / GRID**2), "share"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
