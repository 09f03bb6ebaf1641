"""From a trained student to a model folder: the choice of 8-bit arithmetic, calibration, measurements, model card."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...data.index import IndexRow, data_id, smallest_px
from ...model.preprocess import normalise
from ...model.registry import file_sha256
from ...model.session import open_graph
from ...model.spec import CLASSES, SCHEMA, dump_facts
from ..calibration import calibrate_difference
from ..encoder.features import FeatureSet
from ..encoder.measure import auroc_by_variant, measure_test_sets
from ..half_precision import halve_weights
from .card import write_card
from .graph import write_eight_bit_graph, write_graph
from .network import INPUT, START_PACKAGE, START_SHA256, Student
from .targets import TRAINING_SPLITS, DistilTargets, open_pixels, pictures_id
from .training import DistilOptions

CROPS = 1
MAX_AUROC_CHANGE = 0.003  # by 8-bit arithmetic, on the held-out sources
_CALIBRATION_COPIES = 192
_BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    student: Student
    targets: DistilTargets
    options: DistilOptions
    teacher: str  # name and version of the teacher model
    rows: Sequence[IndexRow]  # the whole index


def write_model(
    trained: Trained,
    store: Path,
    pixels: Path,
    out: Path,
    *,
    name: str,
    version: str,
    progress: Callable[[str], None] = lambda text: None,
) -> None:
    """Write the model folder `out` atomically.

    Arithmetic, calibration and thresholds are chosen on the held-out sources; the test sets are only measured.
    """
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    graph = part / "model.onnx"
    arithmetic, scores, aurocs = _choose_graph(trained, pixels, graph, progress)
    held_out = trained.targets.features.subset(trained.targets.held_out)
    calibration = calibrate_difference(
        scores, held_out.is_ai, fitted_on="sources held out of training, all degradations"
    )
    progress("test sets")

    def score(data: FeatureSet) -> NDArray[np.float64]:
        return score_views(graph, (views for source in open_pixels(pixels, data) for views in source))

    measured = {
        "held_out": {
            "sources": len(np.unique(held_out.source)),
            "copies": len(held_out.cls),
            "arithmetic": arithmetic,
            **aurocs,
        },
        **measure_test_sets(store, trained.rows, score, calibration),
    }
    facts = _facts(trained, name, version, measured)
    facts["calibration"] = calibration.facts()
    facts["thresholds"] = calibration.thresholds
    facts["bytes"] = graph.stat().st_size
    (part / "CARD.md").write_text(write_card(facts), encoding="utf-8")
    facts["files"] = {file: file_sha256(part / file) for file in ("model.onnx", "CARD.md")}
    (part / "model.json").write_text(dump_facts(facts), encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)


def _choose_graph(
    trained: Trained, pixels: Path, path: Path, progress: Callable[[str], None]
) -> tuple[str, NDArray[np.float64], dict[str, dict[str, float]]]:
    """Write the 8-bit graph to `path` if it has nearly the same AUROC on the held-out sources, else the float graph.

    -> "int8" or "float32", the scores of the held-out copies, the AUROC of both graphs by degradation.
    """
    targets = trained.targets
    views = open_pixels(pixels, targets.features)
    held_out = targets.features.subset(targets.held_out)
    with tempfile.TemporaryDirectory() as temporary:
        graphs = _write_graphs(trained, views, Path(temporary), progress)
        scores, aurocs = {}, {}
        for arithmetic, graph in graphs.items():
            progress(f"held-out sources, {arithmetic}")
            scores[arithmetic] = score_views(graph, select_views(views, targets.held_out))
            aurocs[arithmetic] = auroc_by_variant(held_out, scores[arithmetic])
        chosen = _choose_arithmetic(aurocs)
        shutil.copyfile(graphs[chosen], path)
    return chosen, scores[chosen], aurocs


def score_views(graph: Path, images: Iterator[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Run the graph on the views of N images, (V, h, w, 3) uint8 each -> logit(ai) - logit(real) (N,)."""
    session = open_graph(graph.read_bytes(), str(graph))
    differences = []
    for batch in _batches(images):
        logits = session.run(["logits"], {"pixels": batch})[0]
        differences.append(logits[:, 0] - logits[:, 1])
    return np.concatenate(differences).astype(np.float64)


def _batches(images: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
    """-> (B, V, 3, h, w) float32, normalised."""
    pending: list[NDArray[np.float32]] = []
    for views in images:
        pending.append(np.stack([normalise(view, INPUT) for view in views]))
        if len(pending) == _BATCH:
            yield np.stack(pending)
            pending = []
    if pending:
        yield np.stack(pending)


def select_views(views: Sequence[NDArray[np.uint8]], mask: NDArray[np.bool_]) -> Iterator[NDArray[np.uint8]]:
    """The views of the copies for which `mask` (N,) is true."""
    start = 0
    for source in views:
        yield from (source[index] for index in np.flatnonzero(mask[start : start + len(source)]))
        start += len(source)


def _write_graphs(
    trained: Trained, views: Sequence[NDArray[np.uint8]], folder: Path, progress: Callable[[str], None]
) -> dict[str, Path]:
    """{arithmetic: graph}: float32 with half-precision weights, and 8 bits calibrated on training copies."""
    held_out = trained.targets.held_out
    calibration = np.zeros(len(held_out), bool)
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero(~held_out))
    calibration[shuffled[:_CALIBRATION_COPIES]] = True
    full, halved, eight_bit = (folder / f"{name}.onnx" for name in ("full", "halved", "eight_bit"))
    write_graph(trained.student, full)
    onnx.save(halve_weights(onnx.load(full)), halved)
    progress("8 bits")
    write_eight_bit_graph(full, eight_bit, _batches(select_views(views, calibration)))
    return {"float32": halved, "int8": eight_bit}


def _choose_arithmetic(aurocs: Mapping[str, Mapping[str, float]]) -> str:
    """ "int8" if it changes AUROC by less than MAX_AUROC_CHANGE on every degradation. A larger gain is rejected too:
    such a graph is not the model that was trained, and the gain may hold for these sources alone."""
    change = max(abs(value - aurocs["int8"][variant]) for variant, value in aurocs["float32"].items())
    return "int8" if change < MAX_AUROC_CHANGE else "float32"


def _facts(trained: Trained, name: str, version: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    held_out, features = trained.targets.held_out, trained.targets.features
    sources = set(features.source[~held_out].tolist())
    training = [row for row in trained.rows if row.source in sources]
    recipe = asdict(trained.options)
    if not trained.targets.unlabelled:
        del recipe["unlabelled_share"]
    return {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "architecture": "EfficientNet-Lite0 over the whole picture and a native crop, an MLP on both",
        "parameters": sum(value.numel() for value in trained.student.parameters()),
        "classes": list(CLASSES),
        "input": {key: value for key, value in asdict(INPUT).items() if value is not None},
        "views": {"crops": CROPS},
        "outputs": ["logits", "view_logits", "heatmap"],
        "calibration": {},
        "thresholds": {},
        "training": {
            "data_id": data_id(trained.rows),
            "splits": list(TRAINING_SPLITS),
            "images": {"train": int((~held_out).sum()), "sources": len(sources)},
            "smallest_px": smallest_px(training),
            "start": {"package": START_PACKAGE, "sha256": START_SHA256, "licence": "Apache-2.0"},
            "teacher": trained.teacher,
            "recipe": recipe,
            **_unlabelled_facts(trained),
            "measured": dict(measured),
        },
    }


def _unlabelled_facts(trained: Trained) -> dict[str, Any]:
    """{} if there are no unlabelled images."""
    if not (unlabelled := trained.targets.unlabelled):
        return {}
    return {
        "unlabelled": {
            "pictures": len(np.unique(unlabelled.features.picture)),
            "copies": len(unlabelled.teacher),
            "pictures_id": pictures_id(unlabelled.features),
            "per_step": trained.options.unlabelled_pictures,
        }
    }
