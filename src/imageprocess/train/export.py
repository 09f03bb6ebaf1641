"""A trained network -> a model folder, which runs without torch."""

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
from .nets import WithHeatmap
from .result import TrainResult

_OPSET = 18  # of ONNX: old enough for every current ONNX Runtime and its WebAssembly build


def export(result: TrainResult, folder: Path, *, name: str | None = None, version: str = "1.0.0") -> Path:
    """Write model.onnx, model.json and NET_model.pth to `folder`, which is replaced as a whole. -> `folder`

    CARD.md is written by `imageprocess evaluate --write-card`, which measures the figures in it.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    # Both files store half-precision weights: half of the size, no measurable loss of accuracy. Loading the state_dict
    # converts them to float32, so both files hold exactly the same numbers.
    network = result.network.half().float().eval()
    weights = {key: value.half() for key, value in network.state_dict().items()}
    torch.save(weights, part / f"{result.recipe.net}_model.pth")
    write_onnx(WithHeatmap(network), network.input, part / "model.onnx")
    split = "the equalised val split" if result.recipe.degraded_copies else "the val split, as it is"
    calibration = calibrate(result.val_logits, result.val_labels, fitted_on=split)
    facts = _facts(result, calibration, name or result.recipe.net, version)
    facts["files"] = {path.name: file_sha256(path) for path in sorted(part.iterdir(), reverse=True)}
    (part / "model.json").write_text(dump_facts(facts), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return folder


def write_onnx(network: nn.Module, spec: InputSpec, path: Path) -> None:
    """One self-contained file: `pixels` (N, 3, spec.height, spec.width) -> `logits` (N, 2), `heatmap` (N, h, w).

    Large weights are stored in half precision; the graph computes in float32.
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
        "calibration": calibration.facts(),
        "thresholds": calibration.thresholds,
        "training": result.facts(),
    }
