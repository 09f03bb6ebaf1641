"""Pictures that kill their worker or keep it for ever, and workers that are killed: one row each, nothing left."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imageprocess.batch.pool import score_locally
from imageprocess.batch.score import Task
from imageprocess.detector import error_result
from imageprocess.errors import CorruptImageError, ModelError
from imageprocess.types import Source
from testkit.pictures import encode, plain

PICTURE = encode(plain(255), "JPEG")


def _codes(rows: Iterator[str]) -> list[str | None]:
    return [json.loads(row).get("error", {}).get("code") for row in rows]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe: whoever opens it to read waits until somebody writes."""
    path = tmp_path / "stuck.jpg"
    os.mkfifo(path)
    return path


def test_a_picture_that_never_ends_times_out_alone(pipe: Path, task: Task) -> None:
    given = [Source("a", PICTURE), Source("stuck", path=pipe), *(Source(str(i), PICTURE) for i in range(20))]
    codes = _codes(score_locally(given, task, jobs=1, timeout_s=2))
    assert codes == [None, "timeout", *[None] * 20]


def _holders(path: Path) -> Iterator[int]:
    """Processes that have `path` open for reading, or wait for that; none of ours."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if any(link.readlink() == path for link in (process / "fd").iterdir()):
                    yield int(process.name)
            except OSError:
                continue


def test_a_picture_that_kills_its_worker_is_the_only_error(pipe: Path, task: Task) -> None:
    """What opens the pipe is killed, as a decoder's fault would: once in its chunk, once alone."""
    killed: list[int] = []

    def kill() -> None:
        while len(killed) < 2:
            writing = os.open(pipe, os.O_WRONLY)  # returns when a worker has opened it to read
            for pid in set(_holders(pipe)) - set(killed):
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)
            while killed and killed[-1] in _holders(pipe):  # it takes a moment to die
                time.sleep(0.01)
            os.close(writing)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    given = [*(Source(str(i), PICTURE) for i in range(5)), Source("stuck", path=pipe), Source("z", PICTURE)]
    codes = _codes(score_locally(given, task, jobs=2, timeout_s=60))
    killer.join(10)
    assert codes == [*[None] * 5, "crashed", None]
    assert len(killed) == 2


def test_a_worker_that_is_killed_costs_no_row(task: Task) -> None:
    rows: list[str] = []
    given = (Source(str(i), PICTURE) for i in range(400))
    for row in score_locally(given, task, jobs=2, timeout_s=60):
        rows.append(row)
        if len(rows) in (20, 200):
            os.kill(_children()[0], signal.SIGKILL)
    assert [json.loads(row)["source"] for row in rows] == [str(i) for i in range(400)]
    assert _codes(iter(rows)) == [None] * 400


def _children() -> list[int]:
    """Workers: processes whose command line is the fork server's and that it has forked."""
    server = {int(p.name) for p in _running() if _parent(p) == os.getpid()}
    return [int(p.name) for p in _running() if _parent(p) in server]


def _running() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return -1


def test_leaving_early_ends_the_workers(task: Task) -> None:
    began = time.monotonic()
    rows = score_locally((Source(str(i), PICTURE) for i in range(10**9)), task, jobs=2, timeout_s=60)
    assert json.loads(next(rows))["source"] == "0"
    assert len(_children()) == 2
    rows.close()  # type: ignore[attr-defined]
    assert _children() == []
    assert time.monotonic() - began < 30


def test_inputs_that_failed_before_keep_their_place(task: Task) -> None:
    bad = error_result("bad", CorruptImageError("bad: damaged"))
    given: list[Any] = [Source("a", PICTURE), bad, Source("b", PICTURE)]
    rows = [json.loads(row) for row in score_locally(given, task, jobs=1, timeout_s=60)]
    assert [row["source"] for row in rows] == ["a", "bad", "b"]
    assert rows[1]["error"] == {"code": "corrupt", "message": "bad: damaged"}


def test_a_model_that_does_not_load_ends_the_job() -> None:
    with pytest.raises(ModelError, match="neither a shipped model"):
        list(score_locally([Source("a", PICTURE)], Task(model="none"), jobs=2, timeout_s=60))
    assert _children() == []
