"""SIGKILL at random times: no row is lost or duplicated, no process is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imageprocess.batch import Job, run
from imageprocess.batch.inputs import Inputs
from imageprocess.batch.score import Task
from testkit.waiting import wait_until

KILLS = 20
Rows = Callable[[Path], list[dict[str, Any]]]
# The command with small parts: more commits that a kill can interrupt.
SCRIPT = """
import sys
from imageprocess.batch import run
sys.modules[run.__module__]._PART_ROWS = 7
from imageprocess.cli import main
main(prog_name="imageprocess")
"""


def test_resume_after_random_kills(folder: Path, task: Task, tmp_path: Path, rows: Rows) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{path}\n" for path in sorted(folder.iterdir()) * 20))
    run(Job(Inputs(from_list=listed), whole, task, jobs=2))
    command = [
        sys.executable, "-c", SCRIPT, "batch", "--from-list", str(listed), "--out", str(out), "--resume",
        "--jobs", "2", "--model", str(task.model), "--no-reuse",
    ]  # fmt: skip
    rng = random.Random(8)
    kills = finished = 0
    while kills < KILLS:
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(rng.uniform(0.3, 1.3))
            finished += 1  # ended before the kill: compare and start again
            assert rows(out) == rows(whole)
            out.unlink()
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 1  # because of the broken inputs
    assert rows(out) == rows(whole)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    _assert_nothing_is_left_running(str(out))


def _assert_nothing_is_left_running(argument: str) -> None:
    """Workers end with their parent process."""

    def running() -> list[str]:
        others = [p for p in Path("/proc").iterdir() if p.name.isdigit() and int(p.name) != os.getpid()]
        return [process.name for process in others if argument in _command_line(process)]

    wait_until(lambda: not running(), interval_s=0.2, state=lambda: f"workers outlive it: {running()}")


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""
