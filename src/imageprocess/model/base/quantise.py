"""Static 8-bit quantisation of the encoder's linear layers, with the activation ranges smoothed into the weights.

Each linear layer's input is divided by a positive vector and its weight's rows multiplied by it (SmoothQuant,
arXiv 2211.10438), so that the few channels with large values do not decide the scale of all. The scale and zero point
of the inputs are constants: a picture's result does not depend on what else is in the batch, as it would with
DynamicQuantizeLinear. Weights keep 7 of 8 bits: AVX2 without VNNI adds pairs of products in 16 bits, and
2 * 255 * 63 is the most that fits, so every processor gives the same integers.
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
    0.8  # exponent of the activations' range against the weights'; .7 to .9 measured within .001 cosine
)

Float = NDArray[np.float32]
Key = str  # "<block>.<layer>", layer one of LAYERS
LAYERS = ("qkv", "out", "fc1", "fc2")


@dataclass(frozen=True, slots=True, eq=False)
class LayerQuantisation:
    smoothing: Float  # (inputs,) the input is divided by it
    scale: np.float32  # of the smoothed input
    zero_point: np.uint8


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedWeight:
    values: NDArray[np.int8]  # (inputs, outputs), -63 to 63
    scale: Float  # (outputs,)


def fit_layer(low: Float, high: Float, weight: Float) -> LayerQuantisation:
    """`low`, `high` (inputs,): the range of each input channel over calibration pictures; weight (inputs, outputs)."""
    reach = np.maximum(np.abs(low), np.abs(high)) + 1e-5
    rows = np.abs(weight).max(axis=1) + 1e-6
    smoothing = reach**SMOOTHING / rows ** (1 - SMOOTHING)
    smoothing = (smoothing / np.exp(np.log(smoothing).mean())).astype(np.float16).astype(np.float32)
    lowest, highest = min(0.0, float((low / smoothing).min())), max(0.0, float((high / smoothing).max()))
    scale = max(highest - lowest, 1e-6) / 255
    return LayerQuantisation(smoothing, np.float32(scale), np.uint8(np.clip(round(-lowest / scale), 0, 255)))


def quantise_weight(weight: Float) -> QuantisedWeight:
    """(inputs, outputs) -> integers with one scale an output."""
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
    """Raises ModelError where the file is missing or damaged."""
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
