"""The command as a process: terminals, pipes, signals."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testkit.pictures import encode, gradient, plain
from testkit.waiting import wait_until

COMMAND = [sys.executable, "-m", "imageprocess"]


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    names = []
    for i in range(40):
        path = tmp_path / f"{i:02}.png"
        path.write_bytes(encode(gradient(300, 200), "PNG"))
        names.append(str(path))
    return names


def _on_a_terminal(arguments: list[str], *, stdout: int | None = None, **environment: str) -> str:
    """Output of the process on a terminal, including its stdout unless `stdout` is passed."""
    master, slave = pty.openpty()
    env = (
        {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        | {"TERM": "xterm"}
        | environment
    )
    process = subprocess.Popen(
        COMMAND + arguments, stdout=slave if stdout is None else stdout, stderr=slave, env=env
    )
    os.close(slave)
    output = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and select.select([master], [], [], 60)[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: the other side is closed
            break
        output += piece
    os.close(master)
    assert process.wait(60) == 0
    return output.decode()


def test_colour_only_on_terminal_without_no_color(tiny_model_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(plain(255), "PNG"))
    arguments = ["detect", "--model", str(tiny_model_dir), str(path)]
    assert "\x1b[1;31mvery likely AI-made\x1b[0m" in _on_a_terminal(arguments)
    assert "\x1b" not in _on_a_terminal(arguments, NO_COLOR="1")


def test_progress_on_terminal_and_data_in_file(
    tiny_model_dir: Path, tmp_path: Path, pictures: list[str]
) -> None:
    arguments = ["detect", "--model", str(tiny_model_dir), "--format", "jsonl", *pictures]
    with (tmp_path / "out.jsonl").open("wb") as out:
        output = _on_a_terminal(arguments, stdout=out.fileno())
    assert "40/40" in output
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [record["source"] for record in records] == pictures
    with (tmp_path / "out.jsonl").open("wb") as out:
        assert _on_a_terminal([*arguments, "--quiet"], stdout=out.fileno()) == ""


def test_closed_pipe_ends_without_traceback(tiny_model_dir: Path, pictures: list[str]) -> None:
    arguments = [
        "detect",
        "--model",
        str(tiny_model_dir),
        "--format",
        "jsonl",
        "--batch-size",
        "1",
        *pictures,
    ]
    process = subprocess.Popen(COMMAND + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    assert json.loads(process.stdout.readline())["status"] == "ok"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 1


def test_full_disk_and_closed_streams_give_errors_without_traceback(
    tiny_model_dir: Path, pictures: list[str]
) -> None:
    def run(words: str) -> tuple[int, str]:
        line = f"{shlex.join([*COMMAND, 'detect', '--model', str(tiny_model_dir)])} {words}"
        done = subprocess.run(line, shell=True, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    assert run(f"{pictures[0]} > /dev/full") == (2, "Error: standard output: No space left on device\n")
    code, output = run(f"{pictures[0]} >&-")
    assert code == 2 and output.endswith("standard output is closed\n")
    code, output = run(f"- {pictures[0]} --format csv <&-")
    assert code == 1 and output.count("\n") == 4 and "-: the file is empty" in output
    assert run("--from-list - <&-") == (1, "No image found.\n")


def test_ctrl_c_leaves_no_partial_file(tiny_model_dir: Path, tmp_path: Path) -> None:
    """The list on stdin is kept open, so the process is still running when the signal arrives."""
    (tmp_path / "a.png").write_bytes(encode(gradient(), "PNG"))
    arguments = ["detect", "--model", str(tiny_model_dir), "--from-list", "-", "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        COMMAND + arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Shells start background jobs with SIGINT ignored, which children inherit; terminals do not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    process.stdin.write(f"{tmp_path}/a.png\n".encode() * 200)
    process.stdin.flush()
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".out*")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


def test_help_is_fast() -> None:
    """At most 0.15 s of CPU time (independent of other load), best of three."""

    def processor_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(processor_s() for _ in range(3)) < 0.15
