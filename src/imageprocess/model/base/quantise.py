"""Static 8-bit quantisation of the encoder's linear layers, with the activation ranges smoothed into the weights.

The input of each linear layer is divided by a positive vector, and the rows of its weight are multiplied by it
(SmoothQuant, arXiv 2211.10438), so that a few channels with large values do not determine the scale of all. Scale and
zero point of the inputs are constants: the result of an image does not depend on the rest of the batch, as it would
with DynamicQuantizeLinear. Weights use 7 of 8 bits: AVX2 without VNNI adds pairs of products in 16 bits, where
2 * 255 * 63 still fits, so that all processors compute the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError

WEIGHT_LIMIT = 63
SMOOTHING = (
    0.8  # exponent of the range of activations relative to weights; 0.7 to 0.9 were within 0.001 cosine
)

Float = NDArray[np.float32]
Key = str  # "<block>.<layer>", layer one of LAYERS
LAYERS = ("qkv", "out", "fc1", "fc2")


@dataclass(frozen=True, slots=True, eq=False)
class LayerQuantisation:
    smoothing: Float  # (inputs,), by which the input is divided
    scale: np.float32  # of the smoothed input
    zero_point: np.uint8


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedWeight:
    values: NDArray[np.int8]  # (inputs, outputs), -63 to 63
    scale: Float  # (outputs,)


def fit_layer(low: Float, high: Float, weight: Float) -> LayerQuantisation:
    """`low`, `high` (inputs,): the range of each input channel on calibration images; weight (inputs, outputs)."""
    input_range = np.maximum(np.abs(low), np.abs(high)) + 1e-5
    weight_range = np.abs(weight).max(axis=1) + 1e-6
    smoothing = input_range**SMOOTHING / weight_range ** (1 - SMOOTHING)
    smoothing = (smoothing / np.exp(np.log(smoothing).mean())).astype(np.float16).astype(np.float32)
    lowest, highest = min(0.0, float((low / smoothing).min())), max(0.0, float((high / smoothing).max()))
    scale = max(highest - lowest, 1e-6) / 255
    return LayerQuantisation(smoothing, np.float32(scale), np.uint8(np.clip(round(-lowest / scale), 0, 255)))


def quantise_weight(weight: Float) -> QuantisedWeight:
    """(inputs, outputs) -> integers with one scale per output."""
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / WEIGHT_LIMIT
    values = np.clip(np.rint(weight / scale), -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int8)
    return QuantisedWeight(values, scale.astype(np.float32))


def save_quantisation(path: Path, layers: Mapping[Key, LayerQuantisation]) -> None:
    arrays: dict[str, NDArray[np.generic]] = {}
    for key, layer in layers.items():
        arrays[f"{key}.smoothing"] = layer.smoothing.astype(np.float16)
        arrays[f"{key}.scale"] = np.asarray(layer.scale)
        arrays[f"{key}.zero_point"] = np.asarray(layer.zero_point)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load_quantisation(path: Path) -> dict[Key, LayerQuantisation]:
    """Read quantisation.npz. Raises ModelError if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            keys = sorted(name.removesuffix(".smoothing") for name in arrays if name.endswith(".smoothing"))
            return {
                key: LayerQuantisation(
                    arrays[f"{key}.smoothing"].astype(np.float32),
                    np.float32(arrays[f"{key}.scale"]),
                    np.uint8(arrays[f"{key}.zero_point"]),
                )
                for key in keys
            }
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as quantisation parameters ({error})") from error
