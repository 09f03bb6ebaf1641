"""A trained network -> a model folder that runs without torch."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from ..errors import ModelError
from ..model.spec import CLASSES, SCHEMA
from .calibration import Calibration, calibrate
from .loop import TrainResult
from .nets import CNN, CNN_INPUT, CNNWithHeatmap

# Of ONNX; what ONNX Runtime and its WebAssembly build read for years to come.
_OPSET = 18
_WORTH_HALVING = 1024  # values


def export(result: TrainResult, folder: Path, *, name: str = "cnn", version: str = "1.0.0") -> Path:
    """Write `folder` with cnn_model.pth, model.onnx and model.json, whole or not at all; -> `folder`.

    CARD.md is written by `imageprocess evaluate --write-card`, which measures what it says.
    """
    if not isinstance(result.network, CNN):
        raise ModelError(f"{type(result.network).__name__}: no export is written for this network")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    # Kept in half precision, in both files: half the download, and no accuracy that can be measured. PyTorch
    # widens a half-precision state_dict as it loads it, so both files hold the very same numbers.
    network = result.network.half().float().eval()
    torch.save({name: weight.half() for name, weight in network.state_dict().items()}, part / "cnn_model.pth")
    write_onnx(network, part / "model.onnx")
    facts = _facts(result, calibrate(result.val_logits, result.val_labels), name, version)
    facts["files"] = {file: _sha256(part / file) for file in ("model.onnx", "cnn_model.pth")}
    (part / "model.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return folder


def write_onnx(network: CNN, path: Path) -> None:
    """One self-contained file: `pixels` (N, 3, 224, 224) -> `logits` (N, 2), `heatmap` (N, 14, 14)."""
    example = torch.zeros(2, 3, CNN_INPUT.height, CNN_INPUT.width)
    program = torch.onnx.export(
        CNNWithHeatmap(network).eval(),
        (example,),
        dynamo=True,
        opset_version=_OPSET,
        input_names=["pixels"],
        output_names=["logits", "heatmap"],
        dynamic_shapes={"pixels": {0: torch.export.Dim("N")}},
        verbose=False,
    )
    assert program is not None
    program.save(str(path), external_data=False)
    onnx.save(_halve_weights(onnx.load(path)), path)


def _halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Large weights as float16 behind a Cast, which ONNX Runtime folds away when it loads the graph."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _WORTH_HALVING:
            continue
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def _facts(result: TrainResult, calibration: Calibration, name: str, version: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "architecture": "4 x (Conv2d 3x3, ReLU, MaxPool2d 2x2), Linear 25088-128-2",
        "parameters": sum(weight.numel() for weight in result.network.parameters()),
        "classes": list(CLASSES),
        "input": asdict(CNN_INPUT),
        "outputs": ["logits", "heatmap"],
        "calibration": {
            "temperature": calibration.temperature,
            "bias": calibration.bias,
            "fitted_on": "the equalised val split",
        },
        "thresholds": calibration.thresholds,
        "training": {
            "data_id": result.data_id,
            "images": result.images,
            "recipe": asdict(result.recipe),
            "best_epoch": result.best_epoch,
            "log": result.log,
        },
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
