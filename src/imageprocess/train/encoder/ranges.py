"""Calibrate the encoder's quantisation: the input range of every linear layer over degraded training images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.degrade import degrade
from ...data.index import IndexRow
from ...decode import decode
from ...errors import DataError
from ...model.base.adapter import read_adapted
from ...model.base.cut_encoder import add_vit, linear_layer, shape_of
from ...model.base.graph import GraphBuilder
from ...model.base.quantise import LayerQuantisation, fit_layer, save_quantisation
from ...model.base.requirements import require_onnx
from ...model.base.tensors import Tensors, read_tensors
from ...model.preprocess import normalise
from ...model.session import open_graph
from ...model.spec import InputSpec
from ...model.views import cut_views

CALIBRATION_IMAGES = 150
_AXES = np.array([0, 1], np.int64)


def fit_quantisation(
    encoder: Path,
    taps: Sequence[int],
    data: Path,
    rows: Sequence[IndexRow],
    spec: InputSpec,
    onto: Path,
    *,
    adapter: Path | None = None,
) -> None:
    """Write the quantisation parameters to `onto`, fitted on CALIBRATION_IMAGES training images of as many sources as
    possible. `taps`: block numbers; `adapter`: merged into the encoder first. Raises ModelError, DataError."""
    if not any(row.split == "train" for row in rows):
        raise DataError(
            f"{data}: no training images to fit the quantisation on; give the feature store of the labelled data set "
            "as --out, or its quantisation.npz as --quantisation"
        )
    tensors = read_adapted(read_tensors(encoder), adapter)
    ranges: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        keys = _build_observer(tensors, taps, Path(temporary) / "observer.onnx")
        graph = Path(temporary) / "observer.onnx"
        session = open_graph(graph.read_bytes(), str(graph))
        names = [f"{bound}.{key}" for key in keys for bound in ("min", "max")]
        for batch in calibration_batches(data, rows, spec, CALIBRATION_IMAGES):
            bounds = dict(zip(names, session.run(names, {"pixels": batch}), strict=True))
            for key in keys:
                low, high = ranges.get(key, (bounds[f"min.{key}"], bounds[f"max.{key}"]))
                ranges[key] = (np.minimum(low, bounds[f"min.{key}"]), np.maximum(high, bounds[f"max.{key}"]))
    layers: dict[str, LayerQuantisation] = {
        key: fit_layer(low, high, linear_layer(tensors, key)[0]) for key, (low, high) in ranges.items()
    }
    save_quantisation(onto, layers)


def calibration_batches(
    data: Path, rows: Sequence[IndexRow], spec: InputSpec, images: int
) -> Iterator[NDArray[np.float32]]:
    """The two views (2, 3, side, side) of each of `images` degraded training images, of as many sources as possible."""
    for number, row in enumerate(_interleave_sources(rows)[:images]):
        pixels = decode((data / row.path).read_bytes(), name=row.path).pixels
        views = cut_views(degrade(pixels, number, light=number % 4 == 0), spec, 1)
        yield np.stack([normalise(view, spec) for view in views])


def _interleave_sources(rows: Sequence[IndexRow]) -> list[IndexRow]:
    """The training images: the first of each source, then the second of each, and so on."""
    by_source: dict[str, list[IndexRow]] = {}
    for row in rows:
        if row.split == "train":
            by_source.setdefault(row.source, []).append(row)
    longest = max((len(images) for images in by_source.values()), default=0)
    return [images[turn] for turn in range(longest) for images in by_source.values() if turn < len(images)]


def _build_observer(tensors: Tensors, taps: Sequence[int], path: Path) -> list[str]:
    """Write a graph that outputs the minimum and maximum of the input of each linear layer. -> the layers' names"""
    onnx = require_onnx()
    graph, shape = GraphBuilder(), shape_of(tensors)
    observed: dict[str, str] = {}  # layer -> value of its input
    add_vit(graph, "pixels", tensors, taps, observe=observed.__setitem__)
    for key, value in observed.items():
        graph.rename(graph.add("ReduceMax", value, _AXES, keepdims=0), f"max.{key}")
        graph.rename(graph.add("ReduceMin", value, _AXES, keepdims=0), f"min.{key}")
    outputs = {f"{bound}.{key}": ["c"] for key in observed for bound in ("min", "max")}
    model = graph.model("observer", {"pixels": ["b", 3, shape.side, shape.side]}, outputs)
    onnx.save(model, str(path))
    return list(observed)
