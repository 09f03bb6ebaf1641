"""Reads the weights of a CLIP ViT image tower: an ONNX file with 8-bit weights, or safetensors.

Names are those of the usual checkpoints without the prefix `vision_model.`: `embeddings.patch_embedding.weight`,
`encoder.layers.N.self_attn.q_proj.weight`... Matrices are returned (inputs, outputs), float32.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from .requirements import require_onnx

Tensors = Mapping[str, NDArray[np.float32]]
_PREFIX = "vision_model."
_MAX_HEADER_BYTES = 10 << 20
_SAFETENSORS_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def read_tensors(path: Path) -> Tensors:
    """The float32 tensors of the image tower in `path` (.onnx or .safetensors).

    Raises ModelError if the file is neither, is damaged, or lacks the tower.
    """
    read: Callable[[Path], dict[str, NDArray[np.float32]]] = (
        _read_safetensors if path.suffix == ".safetensors" else _read_onnx
    )
    try:
        tensors = read(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if "embeddings.patch_embedding.weight" not in tensors:
        raise ModelError(f"{path}: no CLIP image tower in it (embeddings.patch_embedding.weight is missing)")
    return tensors


def _read_onnx(path: Path) -> dict[str, NDArray[np.float32]]:
    """Float tensors by their names; each 8-bit weight by the name of the bias that is added after its MatMulInteger."""
    onnx = require_onnx()
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf's decoding errors have no public base class
        raise ModelError(f"{path}: not an ONNX file ({error})") from error
    initializers = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    tensors = {
        name.removeprefix(_PREFIX): np.asarray(value)
        for name, value in initializers.items()
        if value.dtype == np.float32 and name.startswith(_PREFIX)
    }
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            bias = _bias_after(node, users, initializers)
            if bias:
                tensors[bias.removeprefix(_PREFIX).replace(".bias", ".weight")] = _dequantise(
                    node, initializers
                )
    return tensors


def _bias_after(node: Any, users: Mapping[str, list[Any]], initializers: Mapping[str, Any]) -> str | None:
    """The name of the constant that the chain Cast, Mul, Add after a MatMulInteger adds."""
    for _ in range(4):
        following = [user for user in users.get(node.output[0], []) if user.op_type in ("Cast", "Mul", "Add")]
        if not following:
            return None
        node = following[0]
        if node.op_type == "Add":
            return next((name for name in node.input if name in initializers), None)
    return None


def _dequantise(node: Any, initializers: Mapping[str, Any]) -> NDArray[np.float32]:
    weight = node.input[1]
    try:
        scale = initializers[weight.removesuffix("_quantized") + "_scale"]
        zero = initializers[node.input[3]]
        values = (initializers[weight].astype(np.float32) - zero.astype(np.float32)) * scale
    except (KeyError, IndexError) as error:
        raise ModelError(f"weight {weight}: its scale or zero point is missing in the file") from error
    return np.asarray(values, dtype=np.float32)


def _read_safetensors(path: Path) -> dict[str, NDArray[np.float32]]:
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= _MAX_HEADER_BYTES:
            raise ModelError(f"{path}: not a safetensors file")
        try:
            header = json.loads(stream.read(length))
            return dict(_entries(header, stream.read()))
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path}: a damaged safetensors file ({error!r})") from error


def _entries(header: Mapping[str, Any], body: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for name, facts in header.items():
        if not name.startswith(_PREFIX) or facts["dtype"] not in _SAFETENSORS_TYPES:
            continue
        start, end = facts["data_offsets"]
        values = np.frombuffer(body[start:end], dtype=_SAFETENSORS_TYPES[facts["dtype"]])
        if facts["dtype"] == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        values = values.astype(np.float32).reshape(facts["shape"])
        is_matrix = values.ndim == 2 and ".weight" in name and "embedding" not in name
        yield name.removeprefix(_PREFIX), np.ascontiguousarray(values.T) if is_matrix else values


def count_blocks(tensors: Tensors) -> int:
    """The number of transformer blocks of the tower. Raises ModelError if their numbers have a gap."""
    numbers = sorted({int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layers.")})
    if not numbers or numbers[0] != 0 or any(later - earlier != 1 for earlier, later in pairwise(numbers)):
        raise ModelError(f"the encoder's blocks are {numbers}; they must be numbered from 0 without a gap")
    return len(numbers)
