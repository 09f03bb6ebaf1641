"""From a feature store to a small model's folder: pixels, teacher, student, 8 bits, calibration, measurements."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from ...data.index import read_index
from ...model.registry import BEST_MODEL, MODELS
from ...model.spec import load_spec
from ..encoder.command import repositories
from ..encoder.features import Progress
from ..encoder.head import HeadOptions
from .model import CROPS, Trained, write_model
from .network import INPUT, load_start
from .pixels import write_pixels
from .targets import LEARNT_SPLITS, load_lessons, open_pixels
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
    """Write the model folder `out`. `work` keeps pixels, teacher and checkpoint: an interrupted run goes on there."""
    weights = load_start(start)
    work.mkdir(parents=True, exist_ok=True)
    rows = read_index(data)
    learnt = [row for row in rows if row.split in LEARNT_SPLITS]
    pixels = work / "pixels"
    with bar("pixels of sources") as done:
        write_pixels(data, store, pixels, rows, INPUT, CROPS, jobs=jobs, progress=done)
    lessons = load_lessons(store, work / "teacher.npz", learnt, repositories(), teacher, progress)
    views = open_pixels(pixels, lessons.features)
    with bar("training") as done:
        student = train_student(lessons, views, dict(weights), options, work / "student.pt", done)
    spec = load_spec(MODELS / BEST_MODEL)
    trained = Trained(student, lessons, options, f"{spec.name} {spec.version}", rows)
    write_model(trained, store, pixels, out, name=name, version=version, progress=progress)
