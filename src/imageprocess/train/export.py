"""A trained network -> a model folder that runs without torch."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from ..errors import ModelError
from ..model.registry import file_sha256
from ..model.spec import CLASSES, SCHEMA, InputSpec, dump_facts, load_spec
from .blend import BlendResult
from .calibration import Calibration, calibrate
from .loop import TrainResult
from .nets import Network, WithHeatmap
from .recipes import NETS, Recipe

# Of ONNX; what ONNX Runtime and its WebAssembly build read for years to come.
_OPSET = 18
_WORTH_HALVING = 1024  # values


def export(
    result: TrainResult | BlendResult, folder: Path, *, name: str | None = None, version: str = "1.0.0"
) -> Path:
    """Write `folder` with model.onnx, model.json and, for a single network, NET_model.pth; whole or not at all.

    -> `folder`. CARD.md is written by `imageprocess evaluate --write-card`, which measures what it says.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if isinstance(result, BlendResult):
        network: nn.Module = result.network
        calibration = result.calibration
    else:
        # Kept in half precision, in both files: half the download, and no accuracy that can be measured. PyTorch
        # widens a half-precision state_dict as it loads it, so both files hold the very same numbers.
        single = result.network.half().float().eval()
        weights = {key: value.half() for key, value in single.state_dict().items()}
        torch.save(weights, part / weights_name(result.recipe.net))
        network = WithHeatmap(single)
        shown = "the equalised val split" if result.recipe.deliveries else "the val split, as it is"
        calibration = calibrate(result.val_logits, result.val_labels, fitted_on=shown)
    # A blend's convolutions are kept in 8 bits; a single network's files are to hold the same numbers.
    in_eight_bits = isinstance(result, BlendResult)
    write_onnx(network, result.network.input, part / "model.onnx", in_eight_bits=in_eight_bits)
    facts = _facts(result, calibration, name or result.recipe.net, version)
    facts["files"] = {path.name: file_sha256(path) for path in sorted(part.iterdir(), reverse=True)}
    (part / "model.json").write_text(dump_facts(facts), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return folder


def weights_name(net: str) -> str:
    return f"{net}_model.pth"


def load_network(folder: Path) -> Network:
    """The network of a model folder that `export` wrote. Raises ModelError where it holds none."""
    net = str(load_spec(folder).facts.get("training", {}).get("recipe", {}).get("net"))
    if net not in NETS:
        raise ModelError(f"{folder}: holds no single network (its net is {net})")
    path = folder / weights_name(net)
    try:
        network = NETS[net]()
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path}: holds no weights of {net} ({error})") from error
    return network.eval()


def load_recipe(folder: Path) -> Recipe:
    """How the network of a model folder was trained. Raises ModelError where that is not a recipe of this version."""
    kept = load_spec(folder).facts.get("training", {}).get("recipe", {})
    try:
        return Recipe(**kept)
    except TypeError as error:
        raise ModelError(f"{folder}: trained by a recipe of another version ({error})") from error


def write_onnx(network: nn.Module, spec: InputSpec, path: Path, *, in_eight_bits: bool = False) -> None:
    """One self-contained file: `pixels` (N, 3, spec.height, spec.width) -> `logits` (N, 2), `heatmap` (N, h, w).

    Large weights in half precision or, those of convolutions, `in_eight_bits`; it computes in float32 all the same.
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
    onnx.save(_narrow_weights(onnx.load(path), in_eight_bits), path)


def _narrow_weights(model: onnx.ModelProto, in_eight_bits: bool) -> onnx.ModelProto:
    """Large weights as float16 or int8 behind a Cast and a Mul, which ONNX Runtime folds away when it loads the graph.

    Not behind a DequantizeLinear, which it would do anew for every picture. Only learnt weights: a forest's
    thresholds are compared with, and must stay what they are.
    """
    graph = model.graph
    before = []
    for weight in list(graph.initializer):
        values = onnx.numpy_helper.to_array(weight)
        is_weight = weight.name.endswith(".weight")
        if not is_weight or values.dtype != np.float32 or values.size < _WORTH_HALVING:
            continue
        name = weight.name
        if in_eight_bits and values.ndim == 4:
            step = np.abs(values).max(axis=(1, 2, 3), keepdims=True) / 127  # of each output channel
            step[step == 0] = 1
            graph.initializer.append(onnx.numpy_helper.from_array(step, f"{name}_step"))
            weight.CopyFrom(
                onnx.numpy_helper.from_array(np.rint(values / step).astype(np.int8), f"{name}_whole")
            )
            before.append(
                onnx.helper.make_node("Cast", [weight.name], [f"{name}_wide"], to=onnx.TensorProto.FLOAT)
            )
            before.append(onnx.helper.make_node("Mul", [f"{name}_wide", f"{name}_step"], [name]))
        else:
            weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            before.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*before, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def _facts(
    result: TrainResult | BlendResult, calibration: Calibration, name: str, version: str
) -> dict[str, Any]:
    network = result.network
    facts = {
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
        },
    }
    if isinstance(result, BlendResult):
        facts["training"]["measured"] = result.measured
    else:
        facts["training"] |= {"best_epoch": result.best_epoch, "log": result.log}
    return facts
