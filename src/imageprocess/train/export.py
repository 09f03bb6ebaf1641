"""A trained network -> a model folder that runs without torch."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from ..model.registry import file_sha256
from ..model.spec import CLASSES, SCHEMA, InputSpec, dump_facts
from .calibration import Calibration, calibrate
from .half_precision import halve_weights
from .loop import TrainResult
from .nets import WithHeatmap

# Of ONNX; what ONNX Runtime and its WebAssembly build read for years to come.
_OPSET = 18


def export(result: TrainResult, folder: Path, *, name: str | None = None, version: str = "1.0.0") -> Path:
    """Write `folder` with model.onnx, model.json and NET_model.pth; whole or not at all.

    -> `folder`. CARD.md is written by `imageprocess evaluate --write-card`, which measures what it says.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    # Kept in half precision, in both files: half the download, and no accuracy that can be measured. PyTorch widens a
    # half-precision state_dict as it loads it, so both files hold the very same numbers.
    network = result.network.half().float().eval()
    weights = {key: value.half() for key, value in network.state_dict().items()}
    torch.save(weights, part / weights_name(result.recipe.net))
    write_onnx(WithHeatmap(network), network.input, part / "model.onnx")
    split = "the equalised val split" if result.recipe.deliveries else "the val split, as it is"
    calibration = calibrate(result.val_logits, result.val_labels, fitted_on=split)
    facts = _facts(result, calibration, name or result.recipe.net, version)
    facts["files"] = {path.name: file_sha256(path) for path in sorted(part.iterdir(), reverse=True)}
    (part / "model.json").write_text(dump_facts(facts), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return folder


def weights_name(net: str) -> str:
    return f"{net}_model.pth"


def write_onnx(network: nn.Module, spec: InputSpec, path: Path) -> None:
    """One self-contained file: `pixels` (N, 3, spec.height, spec.width) -> `logits` (N, 2), `heatmap` (N, h, w).

    Large weights in half precision; it computes in float32 all the same.
    """
    example = torch.zeros(2, 3, spec.height, spec.width)
    program = torch.onnx.export(
        network.eval(),
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
    onnx.save(halve_weights(onnx.load(path)), path)


def _facts(result: TrainResult, calibration: Calibration, name: str, version: str) -> dict[str, Any]:
    network = result.network
    return {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "architecture": network.architecture,
        "parameters": sum(values.numel() for values in network.state_dict().values()),
        "classes": list(CLASSES),
        "input": asdict(network.input),
        "outputs": ["logits", "heatmap"],
        "calibration": {
            "temperature": calibration.temperature,
            "bias": calibration.bias,
            "fitted_on": calibration.fitted_on,
        },
        "thresholds": calibration.thresholds,
        "training": {
            "data_id": result.data_id,
            "images": result.images,
            "smallest_px": result.smallest_px,
            "recipe": asdict(result.recipe),
            "best_epoch": result.best_epoch,
            "log": result.log,
        },
    }
