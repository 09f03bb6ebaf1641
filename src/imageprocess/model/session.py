"""Loads a model folder and runs its network. The only module that imports ONNX Runtime."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .nearest import FILE_NAME as SOURCES_NAME
from .nearest import TrainingSources, load_sources
from .preprocess import normalise
from .spec import ModelSpec, load_spec
from .views import prepare

if TYPE_CHECKING:
    import onnxruntime

# Since 1.29, ONNX Runtime's official builds send telemetry (what runs where, and the model's hash) and keep a database
# of it in the user's cache folder, unless this is set before the library is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


_OPTIONAL = ("heatmap", "view_logits", "maker_logits", "embedding")


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The network's outputs for one image."""

    logits: tuple[float, float]  # ai_image, real_image
    heatmap: (
        NDArray[np.float32] | None
    )  # (h, w) of the whole image: signed contributions to logit(ai) - logit(real)
    view_logits: tuple[
        float, ...
    ] = ()  # of a model with several views: logit(ai) - logit(real) for each crop with the whole image
    view_readings: tuple[float, ...] = ()  # mean of the heat map of each view, the whole image first
    maker_logits: tuple[float, ...] = ()  # of the families of generators that model.json lists
    embedding: NDArray[np.float32] | None = None  # (E,), see `nearest`


class Session:
    """A loaded network. Safe to share between threads."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """`threads`: ONNX Runtime's intra-op threads; None: its default (one per physical core).

        Raises ModelError if the folder is damaged, or if model.onnx is not the file that model.json lists.
        """
        self.spec: ModelSpec = load_spec(folder)
        self._runtime = _open(self.spec, threads)
        sources = folder / SOURCES_NAME
        self.training_sources: TrainingSources | None = load_sources(sources) if sources.is_file() else None
        self._outputs = ["logits", *(name for name in _OPTIONAL if name in self.spec.facts["outputs"])]
        # The views of one image are a batch already. With one image per thread a layer's values stay in the core's
        # cache: 16 images at once take a third more time each, with `clip` and `student`, and 300 MB more memory.
        self._images_per_run = (threads or os.cpu_count() or 1) if self.spec.views else sys.maxsize

    def prepare(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 -> one element of the inputs of `run`."""
        return prepare(pixels, self.spec)

    def run(self, inputs: Sequence[NDArray[np.uint8]]) -> list[Output]:
        """Outputs for images from `prepare`, in order. All must have the same number of views."""
        step = self._images_per_run
        parts = (inputs[start : start + step] for start in range(0, len(inputs), step))
        return [output for part in parts for output in self._run(part)]

    def _run(self, inputs: Sequence[NDArray[np.uint8]]) -> list[Output]:
        spec = self.spec.input
        shape = (
            *inputs[0].shape[:-3],
            3,
            spec.height,
            spec.width,
        )  # with an axis of views if the model has several
        batch = np.empty((len(inputs), *shape), dtype=np.float32)
        planes = batch.reshape(-1, 3, spec.height, spec.width)
        views = (view for pixels in inputs for view in pixels.reshape(-1, spec.height, spec.width, 3))
        for pixels, out in zip(views, planes, strict=True):
            normalise(pixels, spec, out)
        outputs = dict(zip(self._outputs, self._runtime.run(self._outputs, {"pixels": batch}), strict=True))
        return [self._output(outputs, index) for index in range(len(inputs))]

    def _output(self, outputs: Mapping[str, NDArray[np.float32]], index: int) -> Output:
        ai, real = (float(logit) for logit in outputs["logits"][index])
        heatmap = outputs["heatmap"][index] if "heatmap" in outputs else None
        readings: list[float] = []
        if heatmap is not None and self.spec.views:
            readings, heatmap = heatmap.mean(axis=(1, 2)).tolist(), heatmap[0]
        views = outputs["view_logits"][index].tolist() if "view_logits" in outputs else ()
        makers = outputs["maker_logits"][index].tolist() if "maker_logits" in outputs else ()
        embedding = outputs["embedding"][index] if "embedding" in outputs else None
        return Output((ai, real), heatmap, tuple(views), tuple(readings), tuple(makers), embedding)


def _open(spec: ModelSpec, threads: int | None) -> onnxruntime.InferenceSession:
    try:
        graph = spec.onnx_path.read_bytes()
    except OSError as error:
        raise ModelError(f"{spec.onnx_path}: cannot be read ({error.strerror})") from error
    # Read once, so that the verified bytes are the ones that run.
    if hashlib.sha256(graph).hexdigest() != spec.onnx_sha256:
        raise ModelError(f"{spec.onnx_path}: not the file that model.json names (sha256 differs)")
    return open_graph(graph, str(spec.onnx_path), threads)


def open_graph(graph: bytes, name: str, threads: int | None = None) -> onnxruntime.InferenceSession:
    """A CPU session for the ONNX file with the bytes `graph`. Raises ModelError that names `name`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; warnings would be printed on stderr
    # By default, threads spin between runs, on the cores that decode the next images: 25 % more CPU time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Memory patterns are stored per batch size and never freed: 110 MB on top of 190 for batches of 16, and no faster.
    options.enable_mem_pattern = False
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        raise ModelError(f"{name}: ONNX Runtime cannot load it ({error})") from error
