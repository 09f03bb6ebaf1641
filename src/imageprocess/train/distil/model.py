"""From a trained student to a model folder: 8 bits or not, calibration, measurements, card."""

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

from ...data.index import IndexRow, data_id
from ...model.preprocess import normalise
from ...model.registry import file_sha256
from ...model.session import open_graph
from ...model.spec import CLASSES, SCHEMA, dump_facts
from ..calibration import calibrate
from ..encoder.features import FeatureSet
from ..encoder.measure import auroc_by_variant, measure_test_sets
from ..half_precision import halve_weights
from .card import write_card
from .graph import write_eight_bit_graph, write_graph
from .network import INPUT, START_PACKAGE, START_SHA256, Student
from .targets import LEARNT_SPLITS, Lessons, open_pixels
from .training import DistilOptions

CROPS = 1
MOST_LOST = 0.003  # AUROC on the held-out sources, for arithmetic in 8 bits
_CALIBRATION_PICTURES = 192
_BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    student: Student
    lessons: Lessons
    options: DistilOptions
    teacher: str  # its name and version
    rows: Sequence[IndexRow]  # of the whole data set


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
    """Write `out`, whole or not at all. Everything is chosen on held-out sources; test sets are measured alone."""
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    lessons = trained.lessons
    views = open_pixels(pixels, lessons.features)
    graphs = _write_graphs(trained, views, part, progress)
    held = lessons.features.subset(lessons.held)
    scores, aurocs = {}, {}
    for kind, path in graphs.items():
        progress(f"held-out sources, {kind}")
        scores[kind] = score_views(path, _rows(views, lessons.held))
        aurocs[kind] = auroc_by_variant(held, scores[kind])
    kind = _smallest(aurocs)
    graphs[kind].replace(part / "model.onnx")
    logits = np.stack([scores[kind] / 2, -scores[kind] / 2], axis=1).astype(np.float32)
    calibration = calibrate(
        logits, (~held.is_ai).astype(np.int64), fitted_on="sources held out of training, all degradations"
    )
    progress("test sets")

    def score(data: FeatureSet) -> NDArray[np.float64]:
        return score_views(
            part / "model.onnx", (view for source in open_pixels(pixels, data) for view in source)
        )

    measured = {
        "held_out": {
            "sources": len(np.unique(held.source)),
            "copies": len(held.cls),
            "arithmetic": kind,
            **aurocs,
        },
        **measure_test_sets(store, trained.rows, score, calibration),
    }
    facts = _facts(trained, name, version, measured)
    facts["calibration"] = {
        "temperature": calibration.temperature, "bias": calibration.bias, "fitted_on": calibration.fitted_on
    }  # fmt: skip
    facts["thresholds"] = calibration.thresholds
    facts["bytes"] = (part / "model.onnx").stat().st_size
    (part / "CARD.md").write_text(write_card(facts), encoding="utf-8")
    for path in part.iterdir():
        if path.name not in ("model.onnx", "CARD.md"):
            path.unlink()
    facts["files"] = {file: file_sha256(part / file) for file in ("model.onnx", "CARD.md")}
    (part / "model.json").write_text(dump_facts(facts), encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)


def score_views(graph: Path, pictures: Iterator[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Pictures' views (V, h, w, 3) uint8 -> (N,) logit(ai) - logit(real)."""
    session = open_graph(graph.read_bytes(), str(graph))
    found = []
    for batch in _batches(pictures):
        logits = session.run(["logits"], {"pixels": batch})[0]
        found.append(logits[:, 0] - logits[:, 1])
    return np.concatenate(found).astype(np.float64)


def _batches(pictures: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
    """(B, V, 3, h, w) float32, normalised."""
    waiting: list[NDArray[np.float32]] = []
    for views in pictures:
        waiting.append(np.stack([normalise(view, INPUT) for view in views]))
        if len(waiting) == _BATCH:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


def _rows(views: Sequence[NDArray[np.uint8]], mask: NDArray[np.bool_]) -> Iterator[NDArray[np.uint8]]:
    """The copies of which `mask` is true."""
    first = 0
    for source in views:
        yield from (source[index] for index in np.flatnonzero(mask[first : first + len(source)]))
        first += len(source)


def _write_graphs(
    trained: Trained, views: Sequence[NDArray[np.uint8]], folder: Path, progress: Callable[[str], None]
) -> dict[str, Path]:
    """In half-precision weights, and in 8-bit arithmetic with ranges of training pictures."""
    learnt = np.flatnonzero(~trained.lessons.held)
    some = np.zeros(len(trained.lessons.held), bool)
    some[np.random.default_rng(0).permutation(learnt)[:_CALIBRATION_PICTURES]] = True
    halved, narrow = folder / "halved.onnx", folder / "narrow.onnx"
    with tempfile.TemporaryDirectory() as temporary:
        wide = Path(temporary) / "wide.onnx"
        write_graph(trained.student, wide)
        onnx.save(halve_weights(onnx.load(wide)), halved)
        progress("8 bits")
        write_eight_bit_graph(wide, narrow, _batches(_rows(views, some)))
    return {"float32": halved, "int8": narrow}


def _smallest(aurocs: Mapping[str, Mapping[str, float]]) -> str:
    """8 bits, where no degradation loses more than MOST_LOST."""
    lost = max(value - aurocs["int8"][variant] for variant, value in aurocs["float32"].items())
    return "int8" if lost < MOST_LOST else "float32"


def _facts(trained: Trained, name: str, version: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    held, features = trained.lessons.held, trained.lessons.features
    used = set(features.source[~held].tolist())
    pictures = [row for row in trained.rows if row.source in used]
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
            "splits": list(LEARNT_SPLITS),
            "images": {"train": int((~held).sum()), "sources": len(used)},
            "smallest_px": min(max(row.width, row.height) for row in pictures),
            "start": {"package": START_PACKAGE, "sha256": START_SHA256, "licence": "Apache-2.0"},
            "teacher": trained.teacher,
            "recipe": asdict(trained.options),
            "measured": dict(measured),
        },
    }
