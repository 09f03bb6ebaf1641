"""`imageprocess watch` as a process that gets files and signals."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from imageprocess.cli import main
from imageprocess.cli.watch import Settling
from testkit.pictures import encode, plain
from testkit.waiting import wait_until

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    started = []

    def call(*more: str, output: str = "out.jsonl") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "imageprocess", "watch", "in", "-o", output]
        command += ["--model", str(tiny_model_dir), "--interval", "0.05", "--settle", "0.3", *more]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


def _until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    def holds() -> bool:
        assert process.poll() is None, process.communicate()
        return condition()

    wait_until(holds)


def _records(path: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()] if Path(path).exists() else []


def _interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> str:
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, ""), stderr
    return stderr


def test_watch_resumes_after_restart(start: Start) -> None:
    Path("in/first.png").write_bytes(encode(plain(255), "PNG"))
    process = start("--sidecar")
    _until(lambda: len(_records()) == 1, process)
    Path("in/notes.txt").write_text("no picture")
    Path("in/second.jpg").write_bytes(encode(plain(0), "JPEG"))
    Path("in/broken.jpg").write_bytes(encode(plain(0), "JPEG")[:300])
    _until(lambda: len(_records()) == 3, process)
    assert _interrupt(process).endswith("3 images, 1 failed: out.jsonl\n")
    by_name = {Path(record["source"]).name: record for record in _records()}
    assert (
        by_name["first.png"]["verdict"]["label"] == "ai"
        and by_name["second.jpg"]["verdict"]["label"] == "real"
    )
    assert by_name["broken.jpg"]["status"] == "error"
    assert json.loads(Path("in/first.png.imageprocess.json").read_text()) == by_name["first.png"]

    Path("in/third.png").write_bytes(encode(plain(0), "PNG"))
    process = start()
    _until(lambda: len(_records()) == 4, process)
    assert _interrupt(process, signal.SIGTERM).endswith("1 image, 0 failed: out.jsonl\n")
    assert Path(_records()[3]["source"]).name == "third.png"


def test_watch_waits_until_file_stops_growing(start: Start) -> None:
    process = start()
    data = encode(plain(255, 400, 400), "BMP")
    with Path("in/slow.bmp").open("wb") as stream:
        for begin in range(0, len(data), len(data) // 12 + 1):
            stream.write(data[begin : begin + len(data) // 12 + 1])
            stream.flush()
            time.sleep(0.1)  # the pace of a slow writer: in all four times the settling time
    _until(lambda: len(_records()) == 1, process)
    _interrupt(process)
    assert [record["status"] for record in _records()] == ["ok"]


def test_changed_file_gets_another_row(start: Start) -> None:
    Path("in/a.png").write_bytes(encode(plain(255), "PNG"))
    process = start()
    _until(lambda: len(_records()) == 1, process)
    Path("in/a.png").write_bytes(encode(plain(0), "JPEG"))
    _until(lambda: len(_records()) == 2, process)
    _interrupt(process)
    assert [record["verdict"]["label"] for record in _records()] == ["ai", "real"]


def test_csv_and_subfolders(start: Start) -> None:
    Path("in/below").mkdir()
    Path("in/below/a.png").write_bytes(encode(plain(255), "PNG"))

    def rows() -> list[dict[str, str]]:
        if not Path("out.csv").exists():
            return []
        return list(csv.DictReader(Path("out.csv").read_text().splitlines()))

    process = start("-r", output="out.csv")
    _until(lambda: len(rows()) == 1, process)
    _interrupt(process)
    with Path("out.csv").open("a") as stream:
        stream.write('in/below/b.png,ok,"cut sho')  # as a crash leaves it
    Path("in/below/b.png").write_bytes(encode(plain(0), "PNG"))
    process = start("-r", output="out.csv")
    _until(lambda: [row["label"] for row in rows()] == ["ai", "real"], process)
    _interrupt(process)
    assert [(Path(row["source"]).name, row["label"]) for row in rows()] == [
        ("a.png", "ai"),
        ("b.png", "real"),
    ]


@pytest.mark.parametrize(
    ("name", "content"), [("out.jsonl", "not ours\n"), ("out.csv", "a,b\n"), ("out.txt", "")]
)
def test_watch_rejects_output_file_of_other_program(
    name: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content)
    result = CliRunner().invoke(main, ["watch", ".", "-o", name])
    assert result.exit_code == 2 and name in result.stderr
    assert Path(name).read_text() == content


def test_settling_time_restarts_at_each_change(tmp_path: Path) -> None:
    path, settling = tmp_path / "a.png", Settling(2)
    path.write_bytes(b"1")
    assert [settling.is_ready(path, now) for now in (0, 1.9)] == [False, False]
    path.write_bytes(b"12")
    assert [settling.is_ready(path, now) for now in (2.5, 4.4, 4.5)] == [False, False, True]
    settling.mark_done(path)
    assert not settling.is_ready(path, 99)
    os.truncate(path, 0)
    assert [settling.is_ready(path, now) for now in (100, 102)] == [False, True]


@pytest.mark.parametrize("document", ["README.md", "docs/jobs.md"])
def test_the_documented_command_line_runs(
    document: str, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / document).read_text(encoding="utf-8")
    (command,) = re.findall(r"^    imageprocess (watch [^#\n]*?)(?:  +#.*)?$", text, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("incoming").mkdir()
    Path("incoming/a.png").write_bytes(encode(plain(250), "PNG"))
    started = subprocess.Popen(
        [sys.executable, "-m", "imageprocess", *command.split(), "--model", str(tiny_model_dir)],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _until(lambda: len(_records("verdicts.jsonl")) == 1, started)
        _interrupt(started)
    finally:
        started.kill()
    assert _records("verdicts.jsonl")[0]["verdict"]["label"] == "ai"
