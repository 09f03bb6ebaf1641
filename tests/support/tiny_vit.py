"""A small ViT image tower of random weights with the tensor names of CLIP checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH, PATCH, GRID, BLOCKS = 64, 8, 4, 3
SIDE = PATCH * GRID


def tiny_tensors(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Matrices in checkpoint layout: (outputs, inputs)."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float) -> NDArray[np.float32]:
        return rng.normal(0, scale, shape).astype(np.float32)

    tensors = {
        "embeddings.class_embedding": normal(WIDTH, scale=0.5),
        "embeddings.patch_embedding.weight": normal(WIDTH, 3, PATCH, PATCH, scale=0.1),
        "embeddings.position_embedding.weight": normal(GRID * GRID + 1, WIDTH, scale=0.5),
        "pre_layrnorm.weight": 1 + normal(WIDTH, scale=0.1),
        "pre_layrnorm.bias": normal(WIDTH, scale=0.1),
    }
    for block in range(BLOCKS):
        name = f"encoder.layers.{block}."
        for norm in ("layer_norm1", "layer_norm2"):
            tensors[f"{name}{norm}.weight"] = 1 + normal(WIDTH, scale=0.2)
            tensors[f"{name}{norm}.bias"] = normal(WIDTH, scale=0.1)
        layers = {f"self_attn.{part}_proj": (WIDTH, WIDTH) for part in ("q", "k", "v", "out")}
        layers |= {"mlp.fc1": (4 * WIDTH, WIDTH), "mlp.fc2": (WIDTH, 4 * WIDTH)}
        for layer, (outputs, inputs) in layers.items():
            tensors[f"{name}{layer}.weight"] = normal(outputs, inputs, scale=inputs**-0.5)
            tensors[f"{name}{layer}.bias"] = normal(outputs, scale=0.1)
    return tensors


def write_safetensors(path: Path, tensors: dict[str, NDArray[np.float32]]) -> Path:
    header, body = {}, b""
    for name, value in tensors.items():
        data = np.ascontiguousarray(value, dtype="<f4").tobytes()
        header[f"vision_model.{name}"] = {
            "dtype": "F32",
            "shape": list(value.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path
