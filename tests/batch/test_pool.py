"""Images that crash or block their worker, and killed workers: one row each, no process left."""

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
from testkit.waiting import wait_until

PICTURE = encode(plain(255), "JPEG")


def _codes(rows: Iterator[str]) -> list[str | None]:
    return [json.loads(row).get("error", {}).get("code") for row in rows]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe: opening it for reading blocks until a writer opens it."""
    path = tmp_path / "stuck.jpg"
    os.mkfifo(path)
    return path


def test_only_hanging_image_times_out(pipe: Path, task: Task) -> None:
    inputs = [Source("a", PICTURE), Source("stuck", path=pipe), *(Source(str(i), PICTURE) for i in range(20))]
    codes = _codes(score_locally(inputs, task, jobs=1, timeout_s=2))
    assert codes == [None, "timeout", *[None] * 20]


def _holders(path: Path) -> Iterator[int]:
    """Other processes that have `path` open for reading, or are blocked in opening it."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if any(link.readlink() == path for link in (process / "fd").iterdir()):
                    yield int(process.name)
            except OSError:
                continue


def test_only_crashing_image_is_an_error(pipe: Path, task: Task) -> None:
    """The worker that opens the pipe is killed, like a decoder crash: once in its chunk, once alone."""
    killed: list[int] = []

    def kill() -> None:
        while len(killed) < 2:
            writing = os.open(pipe, os.O_WRONLY)  # returns when a worker has opened it to read
            for pid in set(_holders(pipe)) - set(killed):
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not killed or killed[-1] not in _holders(pipe), interval_s=0.01)
            os.close(writing)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    inputs = [*(Source(str(i), PICTURE) for i in range(5)), Source("stuck", path=pipe), Source("z", PICTURE)]
    codes = _codes(score_locally(inputs, task, jobs=2, timeout_s=60))
    killer.join(10)
    assert codes == [*[None] * 5, "crashed", None]
    assert len(killed) == 2


def test_killed_worker_loses_no_row(task: Task) -> None:
    rows: list[str] = []
    inputs = (Source(str(i), PICTURE) for i in range(400))
    for row in score_locally(inputs, task, jobs=2, timeout_s=60):
        rows.append(row)
        if len(rows) in (20, 200):
            os.kill(_children()[0], signal.SIGKILL)
    assert [json.loads(row)["source"] for row in rows] == [str(i) for i in range(400)]
    assert _codes(iter(rows)) == [None] * 400


def _children() -> list[int]:
    """Workers: processes forked by the fork server, with its command line."""
    server = {int(p.name) for p in _running() if _parent(p) == os.getpid()}
    return [int(p.name) for p in _running() if _parent(p) in server]


def _running() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return -1


def test_closing_early_ends_workers(task: Task) -> None:
    began = time.monotonic()
    rows = score_locally((Source(str(i), PICTURE) for i in range(10**9)), task, jobs=2, timeout_s=60)
    assert json.loads(next(rows))["source"] == "0"
    assert len(_children()) == 2
    rows.close()  # type: ignore[attr-defined]
    assert _children() == []
    assert time.monotonic() - began < 30


def test_failed_inputs_keep_their_order(task: Task) -> None:
    bad = error_result("bad", CorruptImageError("bad: damaged"))
    inputs: list[Any] = [Source("a", PICTURE), bad, Source("b", PICTURE)]
    rows = [json.loads(row) for row in score_locally(inputs, task, jobs=1, timeout_s=60)]
    assert [row["source"] for row in rows] == ["a", "bad", "b"]
    assert rows[1]["error"] == {"code": "corrupt", "message": "bad: damaged"}


def test_unloadable_model_ends_the_job() -> None:
    with pytest.raises(ModelError, match="neither a shipped model"):
        list(score_locally([Source("a", PICTURE)], Task(model="none"), jobs=2, timeout_s=60))
    assert _children() == []
