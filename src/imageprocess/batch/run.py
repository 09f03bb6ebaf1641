"""Runs one job from its inputs to its output file, with either engine."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import UsageError
from ..model import registry
from ..model.spec import load_spec
from .inputs import Inputs, Item, flatten, name_of, skip_done
from .journal import Journal
from .score import Task

Engine = Literal["local", "ray"]
_PART_ROWS = 2_000  # committed at a time
_PART_S = 15.0  # rows are also committed after this time: the most work that a kill can lose
_REMEDY = re.compile(r"pip install 'imageprocess\[\w+\]'|imageprocess trust update")


@dataclass(frozen=True, slots=True)
class Job:
    inputs: Inputs
    out: Path  # FILE.jsonl or FILE.parquet
    task: Task = field(default_factory=Task)
    engine: Engine = "local"
    jobs: int = 1  # worker processes; on Ray 0 means one per core of the cluster, less one
    timeout_s: float = 60.0  # per image; local engine only


@dataclass(slots=True)
class Summary:
    """Progress of a job."""

    rows: int = 0  # including those of earlier runs
    failed: int = 0  # rows with an error
    resumed: int = 0  # rows from earlier runs
    elapsed_s: float = 0.0
    remedies: Counter[str] = field(
        default_factory=Counter
    )  # command that enables a missing check -> rows that need it


def run(
    job: Job,
    *,
    resume: bool = False,
    overwrite: bool = False,
    report: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
    """Analyse `job.inputs`, one row each, in order. An interrupted job continues with `resume`. `report` is called for
    every row.

    Raises UsageError, ModelError, MissingExtraError; never for one bad input.
    """
    if job.out.suffix not in (".jsonl", ".parquet"):
        raise UsageError(f"{job.out}: the name must end in .jsonl or .parquet")
    if job.out.suffix == ".parquet":
        from .parquet import require

        require()
    with Journal(job.out, _options(job), resume=resume, overwrite=overwrite) as journal:
        summary = Summary()
        rows = _read_rows(job.out) if journal.finished else map(_source_and_status, journal.committed())
        items = skip_done(job.inputs.items(), _count_names(rows, summary), max_bytes=job.task.max_bytes)
        if journal.finished:
            _check_no_new_inputs(items, job.task)
            return summary
        _commit_all(_engine(job, items), journal, summary, report)
        journal.finish()
        return summary


def _options(job: Job) -> dict[str, object]:
    """The options that rows depend on, apart from the inputs' names."""
    task = job.task
    options = asdict(task) | {"image_column": job.inputs.column}
    del options["reuse"], options["model"], options["heatmap"], options["explain"]
    if task.only is None or "model" in task.only:
        options["model"] = load_spec(registry.resolve(task.model)).onnx_sha256
    as_stored: dict[str, object] = json.loads(json.dumps(options))  # tuples become lists
    return as_stored


def _engine(job: Job, items: Iterator[Item]) -> Iterator[str]:
    if job.engine == "ray":
        from .on_ray import score_on_ray

        return score_on_ray(items, job.task, actors=job.jobs)
    from .pool import score_locally

    inputs = flatten(items, max_bytes=job.task.max_bytes)
    return score_locally(inputs, job.task, jobs=job.jobs, timeout_s=job.timeout_s)


def _source_and_status(row: str) -> tuple[str, str]:
    record = json.loads(row)
    return record["source"], record["status"]


def _count_names(rows: Iterable[tuple[str, str]], summary: Summary) -> Iterator[str]:
    """Yield the input names of rows of earlier runs, and count the rows in `summary`."""
    for source, status in rows:
        summary.rows += 1
        summary.resumed += 1
        summary.failed += status == "error"
        yield source


def _commit_all(
    rows: Iterator[str], journal: Journal, summary: Summary, report: Callable[[Summary], None]
) -> None:
    began = committed_at = time.monotonic()
    pending: list[str] = []
    try:
        for row in rows:
            pending.append(row)
            now = time.monotonic()
            summary.rows += 1
            summary.failed += _is_error(row)
            summary.remedies.update(set(_REMEDY.findall(row)))
            summary.elapsed_s = now - began
            report(summary)
            if len(pending) >= _PART_ROWS or now - committed_at > _PART_S:
                journal.commit(pending)
                pending, committed_at = [], now
    finally:  # keep finished rows also on Ctrl-C or an error
        if pending:
            journal.commit(pending)
        summary.elapsed_s = time.monotonic() - began


def _is_error(row: str) -> bool:
    """Whether the row is the record of a failed input. Most rows need no parsing for this."""
    return '"status": "error", "error": {"code": "' in row and json.loads(row)["status"] == "error"


def _read_rows(out: Path) -> Iterator[tuple[str, str]]:
    """Source and status of each row of a finished job's output. Raises UsageError if it is something else."""
    try:
        if out.suffix == ".parquet":
            from .parquet import read_statuses

            yield from read_statuses(out)
        else:
            with out.open(encoding="utf-8", newline="\n") as lines:
                yield from map(_source_and_status, lines)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{out}: not the output of a job ({error!r}); use --overwrite to replace it"
        ) from error


def _check_no_new_inputs(items: Iterator[Item], task: Task) -> None:
    for item in flatten(items, max_bytes=task.max_bytes):
        raise UsageError(f"the inputs have changed: {name_of(item)} is new; use --overwrite to start again")
