"""`encoder distil`: pixels, teacher logits, training, and the model folder of the student."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from ...data.index import read_index
from ...data.manifest import repositories
from ...model.registry import BEST_MODEL, MODELS
from ...model.spec import load_spec
from ..encoder.features import Progress
from ..encoder.head import HeadOptions
from .model import CROPS, Trained, write_model
from .network import INPUT, load_start
from .pixels import write_pixels
from .targets import TRAINING_SPLITS, load_targets, open_pixels
from .training import DistilOptions, train_student

Bar = Callable[[str], AbstractContextManager[Progress]]


def distil(
    data: Path,
    store: Path,
    start: Path,
    work: Path,
    out: Path,
    *,
    name: str,
    version: str,
    options: DistilOptions,
    teacher: HeadOptions,
    jobs: int,
    bar: Bar,
    progress: Callable[[str], None],
) -> None:
    """Write the model folder `out`. `work` stores pixels, teacher logits and the checkpoint of an interrupted run.

    `data`: the data set; `store`: its features; `start`: the file of the ImageNet weights. Raises ModelError or
    DataError.
    """
    weights = load_start(start)
    work.mkdir(parents=True, exist_ok=True)
    rows = read_index(data)
    training = [row for row in rows if row.split in TRAINING_SPLITS]
    pixels = work / "pixels"
    with bar("pixels of sources") as done:
        write_pixels(data, store, pixels, rows, INPUT, CROPS, jobs=jobs, progress=done)
    targets = load_targets(store, work / "teacher.npz", training, repositories(), teacher, progress)
    views = open_pixels(pixels, targets.features)
    with bar("training") as done:
        student = train_student(targets, views, dict(weights), options, work / "student.pt", done)
    spec = load_spec(MODELS / BEST_MODEL)
    trained = Trained(student, targets, options, f"{spec.name} {spec.version}", rows)
    write_model(trained, store, pixels, out, name=name, version=version, progress=progress)
