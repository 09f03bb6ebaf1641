"""A job from end to end with the local engine, and recovery from errors while its parts are written."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imageprocess.batch import Job, Summary, run
from imageprocess.batch.inputs import Inputs
from imageprocess.batch.journal import Journal
from imageprocess.batch.score import Scorer, Task
from imageprocess.detector import Detector
from imageprocess.errors import ModelError, UsageError
from imageprocess.report.records import to_record
from imageprocess.types import Source

Rows = Callable[[Path], list[dict[str, Any]]]


def _job(folder: Path, out: Path, task: Task, **options: Any) -> Job:
    return Job(Inputs((str(folder),)), out, task, jobs=2, **options)


def test_rows_match_detect_in_order(folder: Path, task: Task, tmp_path: Path, rows: Rows) -> None:
    out = tmp_path / "out.jsonl"
    reported: list[int] = []
    summary = run(_job(folder, out, task), report=lambda at: reported.append(at.rows))
    actual = rows(out)
    paths = sorted(folder.iterdir())
    assert [row["source"] for row in actual] == [str(path) for path in paths]
    expected = [to_record(r) for r in Detector(task.model).detect_many(Source(str(p), path=p) for p in paths)]
    for record in expected:
        record.pop("elapsed_ms", None)
    assert actual == json.loads(json.dumps(expected))
    failed = [Path(row["source"]).name for row in actual if row["status"] == "error"]
    assert failed == ["007.png", "011.webp"]
    assert (summary.rows, summary.failed, summary.resumed) == (60, 2, 0)
    assert reported == list(range(1, 61))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.jsonl.job.json", "out.jsonl"]


def test_parquet_matches_jsonl(folder: Path, task: Task, tmp_path: Path, rows: Rows) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    summary = run(_job(folder, tmp_path / "out.parquet", task))
    run(_job(folder, tmp_path / "out.jsonl", task))
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert (summary.rows, summary.failed) == (len(table), 2) == (60, 2)
    for row, record in zip(table, rows(tmp_path / "out.jsonl"), strict=True):
        verdict, error = record.get("verdict", {}), record.get("error", {})
        assert (row["source"], row["status"]) == (record["source"], record["status"])
        assert (row["label"], row["probability_ai"]) == (verdict.get("label"), verdict.get("probability_ai"))
        assert (row["error_code"], row["sha256"]) == (error.get("code"), record.get("sha256"))
        assert row["width"] == record.get("image", {}).get("width")
        assert json.loads(row["evidence"] or "null") == record.get("evidence")
    again = run(_job(folder, tmp_path / "out.parquet", task), resume=True)
    assert (again.rows, again.failed, again.resumed) == (60, 2, 60)


def test_relative_paths_are_kept(
    folder: Path, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    """Independently of the working directory in which the first worker was started."""
    for place in (tmp_path / "a", tmp_path / "b"):
        place.mkdir()
        shutil.copy(folder / "000.jpeg", place / f"{place.name}.jpg")
        monkeypatch.chdir(place)
        run(Job(Inputs((f"{place.name}.jpg",)), Path("out.jsonl"), task, jobs=1))
        assert [row["status"] for row in rows(place / "out.jsonl")] == ["ok"]


def test_existing_output_is_not_overwritten(folder: Path, task: Task, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(_job(folder, out, task))
    before = out.read_bytes()
    with pytest.raises(UsageError, match="--resume to continue it, or --overwrite"):
        run(_job(folder, out, task))
    assert run(_job(folder, out, task), resume=True) == Summary(rows=60, failed=2, resumed=60)
    assert out.read_bytes() == before
    assert run(_job(folder, out, task), overwrite=True).resumed == 0


@pytest.fixture(params=["out.jsonl", "out.parquet"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Output paths of a job in both formats."""
    if request.param.endswith("parquet"):
        pytest.importorskip("pyarrow")
    return tmp_path / str(request.param)


def test_finished_output_is_reused_only_for_the_same_job(
    folder: Path, task: Task, tmp_path: Path, out: Path
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(12):
        shutil.copy(folder / f"{number:03}.{('jpeg', 'png', 'webp')[number % 3]}", tmp_path / "in")
    job = _job(tmp_path / "in", out, task)
    run(job)
    before = out.read_bytes()
    assert run(job, resume=True) == Summary(rows=12, failed=2, resumed=12)
    for other, changed in (
        (replace(task, mode="best-guess"), "mode"),
        (replace(task, threshold=0.3, only=("model",)), "threshold, only"),
        (replace(task, only=("provenance",)), "only"),
    ):
        with pytest.raises(UsageError, match=f"finished with a different {changed}.*--overwrite"):
            run(replace(job, task=other), resume=True)
    with pytest.raises(UsageError, match="finished with a different image_column"):
        run(replace(job, inputs=Inputs((str(tmp_path / "in"),), column="right")), resume=True)
    shutil.copy(folder / "020.webp", tmp_path / "in")
    with pytest.raises(UsageError, match=r"020\.webp is new; use --overwrite"):
        run(job, resume=True)
    (tmp_path / "in" / "020.webp").unlink()
    (tmp_path / "in" / "004.png").rename(tmp_path / "in" / "030.png")
    with pytest.raises(UsageError, match=r"number 5 was .*004\.png.*--overwrite"):
        run(job, resume=True)
    assert out.read_bytes() == before
    assert run(job, overwrite=True).resumed == 0
    assert run(job, resume=True).resumed == 12


def test_foreign_output_file_is_rejected(folder: Path, task: Task, out: Path) -> None:
    out.write_bytes(b'{"mine": 1}\n')
    job = _job(folder, out, task)
    with pytest.raises(UsageError, match=r"not known to be output of this job.*--overwrite"):
        run(job, resume=True)
    assert out.read_bytes() == b'{"mine": 1}\n'
    run(job, overwrite=True)
    out.write_bytes(b'{"mine": 1}\n')  # the stored options of the previous file remain
    with pytest.raises(UsageError, match="not the output of a job"):
        run(job, resume=True)


def test_unusable_input_fails_only_its_row(folder: Path, task: Task, tmp_path: Path, rows: Rows) -> None:
    arrow = pytest.importorskip("pyarrow")
    pytest.importorskip("fsspec")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"label": [1, 2]}), tmp_path / "labels.parquet")
    good = str(folder / "000.jpeg")
    bad = (
        str(tmp_path / "labels.parquet"),
        "no-such-store://x",
        "no-such-store://x/a.tar",
        "file:///none/*.jpg",
    )
    run(Job(Inputs((good, *bad, good)), tmp_path / "out.jsonl", task, jobs=1))
    actual = rows(tmp_path / "out.jsonl")
    assert [row["source"] for row in actual] == [good, *bad, good]
    codes = [row.get("error", {}).get("code") for row in actual]
    assert codes == [None, "unsupported_format", "not_found", "not_found", "not_found", None]


def test_unknown_suffix_and_broken_model_fail_immediately(folder: Path, task: Task, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.jsonl or \.parquet"):
        run(_job(folder, tmp_path / "out.txt", task))
    with pytest.raises(ModelError, match="no such model"):
        run(_job(folder, tmp_path / "out.jsonl", replace(task, model="no such model")))
    broken = shutil.copytree(str(task.model), tmp_path / "broken")
    (broken / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"not the file that model\.json names"):
        run(_job(folder, tmp_path / "out.jsonl", replace(task, model=str(broken))))


class _SimulatedKill(BaseException):
    """Simulates the end of the process."""


def _kill_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """End before the n-th step that writes to disk, as SIGKILL would."""
    left = [call]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise _SimulatedKill
            return real(*arguments, **options)

        return step

    for owner, name in [(os, "fsync"), (Path, "replace"), (Path, "rename"), (shutil, "rmtree")]:
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))


def test_resume_after_interruption_at_every_write_step(
    folder: Path, task: Task, tmp_path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is replaced by prepared rows to interrupt every step; tests/batch/test_kill.py kills real
    processes."""
    module = sys.modules[run.__module__]  # the package's attribute of that name is the function
    whole = tmp_path / "whole.jsonl"
    run(_job(folder, whole, task))
    lines = whole.read_text(encoding="utf-8").splitlines()
    by_name = {json.loads(line)["source"]: line for line in lines}

    def engine(job: Job, items: Any) -> Any:
        return (by_name[item.name] for item in items)

    monkeypatch.setattr(module, "_engine", engine)
    monkeypatch.setattr(module, "_PART_ROWS", 16)
    for call in range(1, 100):
        out = tmp_path / f"{call}.jsonl"
        with monkeypatch.context() as patched:
            _kill_at(patched, call)
            try:
                run(_job(folder, out, task))
            except _SimulatedKill:
                pass
            else:
                break
        run(_job(folder, out, task), resume=True)
        assert out.read_bytes() == whole.read_bytes(), call
    assert call > 15
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_resume_rejects_other_options_or_inputs(
    folder: Path, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"

    def stop(at: Summary) -> None:
        if at.rows == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(_job(folder, out, task), report=stop)
    with pytest.raises(UsageError, match="an unfinished job exists"):
        run(_job(folder, out, task))
    with pytest.raises(UsageError, match="started with a different mode"):
        run(_job(folder, out, replace(task, mode="best-guess")), resume=True)
    with pytest.raises(UsageError, match="the inputs have changed"):
        run(_job(folder / "003.jpeg", out, task), resume=True)
    summary = run(_job(folder, out, task), resume=True)
    assert (summary.rows, summary.failed, summary.resumed) == (60, 2, 20)


def test_output_is_locked_by_one_process(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with (
        Journal(out, {}, resume=False, overwrite=False),
        pytest.raises(UsageError, match="in use by another process"),
    ):
        Journal(out, {}, resume=True, overwrite=False)
    Journal(out, {}, resume=True, overwrite=False).close()


def test_duplicate_bytes_are_scored_once(folder: Path, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    from imageprocess import detector as detector_module

    scored: list[str] = []
    real = detector_module.decode

    def counting(data: bytes, **options: Any) -> Any:
        scored.append(options["name"])
        return real(data, **options)

    monkeypatch.setattr(detector_module, "decode", counting)
    path = folder / "000.jpeg"
    inputs = [Source(name, path=path) for name in ("a", "b")]
    for reuse, expected in ((True, ["a"]), (False, ["a", "a", "b"])):
        scorer = Scorer(replace(task, reuse=reuse))
        scored.clear()
        first = [json.loads(row) for row in scorer.score(inputs[:1])]
        second = [json.loads(row) for row in scorer.score(inputs)]
        assert [row["source"] for row in first + second] == ["a", "a", "b"]
        assert len({json.dumps(row["verdict"]) for row in first + second}) == 1
        assert scored == expected
