"""One job from its inputs to its file, whatever the engine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import UsageError
from ..model import registry
from ..model.spec import load_spec
from .inputs import Inputs, Item, flatten, skip_done
from .journal import Journal
from .score import Task

Engine = Literal["local", "ray"]
_PART_ROWS = 2_000  # committed together, or
_PART_S = 15.0  # what is lost at most when the process is killed


@dataclass(frozen=True, slots=True)
class Job:
    inputs: Inputs
    out: Path  # FILE.jsonl or FILE.parquet
    task: Task = field(default_factory=Task)
    engine: Engine = "local"
    jobs: int = 1  # worker processes; on Ray 0 means one a core of the cluster but one
    timeout_s: float = 60.0  # for one picture; the local engine's


@dataclass(slots=True)
class Summary:
    """Where a job stands."""

    rows: int = 0  # in the file, those of earlier runs included
    failed: int = 0  # of them
    resumed: int = 0  # rows that earlier runs left
    elapsed_s: float = 0.0


def run(
    job: Job,
    *,
    resume: bool = False,
    overwrite: bool = False,
    report: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
    """Go through `job.inputs`, one row each, in order. What is done when it is stopped or killed stays done:
    `resume` goes on there. `report` hears of every row.

    Raises UsageError, ModelError, MissingExtraError; never for one bad input.
    """
    if job.out.suffix not in (".jsonl", ".parquet"):
        raise UsageError(f"{job.out}: the name must end in .jsonl or .parquet")
    if job.out.suffix == ".parquet":
        from .parquet import require

        require()
    with Journal(job.out, _question(job.task), resume=resume, overwrite=overwrite) as journal:
        if journal.finished:
            return _read_summary(job.out)
        summary = Summary(rows=journal.rows, resumed=journal.rows)
        done = _names(journal.committed(), summary)
        items = skip_done(job.inputs.items(), done, max_bytes=job.task.max_bytes)
        _commit_all(_engine(job, items), journal, summary, report)
        journal.finish()
        return summary


def _question(task: Task) -> dict[str, object]:
    """What rows depend on, beside the inputs."""
    asked = asdict(task)
    del asked["reuse"], asked["model"]
    if task.only is None or "model" in task.only:
        asked["model"] = load_spec(registry.resolve(task.model)).onnx_sha256
    plain: dict[str, object] = json.loads(json.dumps(asked))
    return plain


def _engine(job: Job, items: Iterator[Item]) -> Iterator[str]:
    if job.engine == "ray":
        from .on_ray import score_on_ray

        return score_on_ray(items, job.task, actors=job.jobs)
    from .pool import score_locally

    inputs = flatten(items, max_bytes=job.task.max_bytes)
    return score_locally(inputs, job.task, jobs=job.jobs, timeout_s=job.timeout_s)


def _names(rows: Iterable[str], summary: Summary) -> Iterator[str]:
    """The inputs that committed rows belong to; counts the failed ones as they pass."""
    for row in rows:
        record = json.loads(row)
        summary.failed += record["status"] == "error"
        yield record["source"]


def _commit_all(
    rows: Iterator[str], journal: Journal, summary: Summary, report: Callable[[Summary], None]
) -> None:
    began = last = time.monotonic()
    waiting: list[str] = []
    try:
        for row in rows:
            waiting.append(row)
            now = time.monotonic()
            summary.rows += 1
            summary.failed += _is_error(row)
            summary.elapsed_s = now - began
            report(summary)
            if len(waiting) >= _PART_ROWS or now - last > _PART_S:
                journal.commit(waiting)
                waiting, last = [], now
    finally:  # Ctrl-C, or a fault of ours: what is done stays done
        if waiting:
            journal.commit(waiting)
        summary.elapsed_s = time.monotonic() - began


def _is_error(row: str) -> bool:
    """Does this record say that its input failed? Most rows need no parsing to say no."""
    return '"status": "error", "error": {"code": "' in row and json.loads(row)["status"] == "error"


def _read_summary(out: Path) -> Summary:
    """Of a job that had finished before."""
    if out.suffix == ".parquet":
        from .parquet import read_statuses

        statuses = list(read_statuses(out))
        return Summary(len(statuses), statuses.count("error"), len(statuses))
    with out.open(encoding="utf-8", newline="\n") as lines:
        errors = [_is_error(line) for line in lines]
    return Summary(len(errors), sum(errors), len(errors))
