"""`imageprocess batch` on the command line."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from imageprocess.cli import main
from testkit.pictures import encode, plain


@pytest.fixture
def batch(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs in a working directory with a folder pictures/ of a bright and a dark image."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "bright.png").write_bytes(encode(plain(255), "PNG"))
    (tmp_path / "pictures" / "dark.jpg").write_bytes(encode(plain(0), "JPEG"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        command = ["batch", "--model", str(tiny_model_dir), "--jobs", "1", *arguments]
        return CliRunner().invoke(main, command, prog_name="imageprocess")

    return call


def test_batch_writes_rows_and_a_summary_on_stderr(batch: Any) -> None:
    result = batch("pictures", "--out", "out.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("2 images, 0 failed, ") and result.stderr.endswith(": out.jsonl\n")
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [record["verdict"]["label"] for record in records] == ["ai", "real"]
    again = batch("pictures", "--out", "out.jsonl", "--resume")
    assert again.exit_code == 0 and again.stderr.startswith("2 images (2 of them earlier), 0 failed: ")
    assert batch("pictures", "--out", "out.jsonl").exit_code == 2
    other = batch("pictures", "--out", "out.jsonl", "--resume", "--mode", "best-guess")
    assert other.exit_code == 2 and "finished with a different mode; use --overwrite" in other.stderr


def test_batch_options_match_detect(batch: Any) -> None:
    result = batch("pictures", "--out", "out.jsonl", "--only", "provenance,watermark", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [record["verdict"]["decided_by"] for record in records] == ["abstain"] * 2
    assert batch("pictures", "--out", "2.jsonl", "--threshold", "0", "--quiet").exit_code == 0
    records = [json.loads(line) for line in Path("2.jsonl").read_text().splitlines()]
    assert [record["verdict"]["label"] for record in records] == ["ai", "ai"]


def test_failed_input_is_a_row_and_sets_exit_status(batch: Any) -> None:
    result = batch("pictures/dark.jpg", "missing.jpg", "--out", "out.jsonl")
    assert result.exit_code == 1 and "2 images, 1 failed" in result.stderr
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert records[1]["error"]["code"] == "not_found"


@pytest.mark.parametrize("out", ["/proc/x.jsonl", "pictures/dark.jpg/x.jsonl"])
def test_unwritable_output_error_names_path(batch: Any, out: str) -> None:
    result = batch("pictures", "--out", out)
    assert result.exit_code == 2 and result.stderr.startswith(f"Error: {out}.parts: ")


def test_full_disk_error_names_path(batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = batch("pictures", "--out", "out.jsonl")
    assert result.exit_code == 2
    assert result.stderr == "Error: out.jsonl.parts/job.json: No space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "out.jsonl"],
        ["pictures"],
        ["pictures", "--out", "out.csv"],
        ["pictures", "--out", "out.jsonl", "--resume", "--overwrite"],
        ["pictures", "--out", "out.jsonl", "--jobs", "0"],
        ["pictures", "--out", "out.jsonl", "--jobs", "99999999999999999999"],
        ["pictures", "--out", "out.jsonl", "--timeout", "inf"],
        ["pictures", "--out", "out.jsonl", "--engine", "spark"],
    ],
)
def test_usage_errors_exit_2(batch: Any, arguments: list[str]) -> None:
    assert batch(*arguments).exit_code == 2
    assert not Path("out.jsonl").exists()
