"""`imageprocess evaluate`: output, files, errors."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from imageprocess.cli import main


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, args)])


def quick(data: Path, model: Path, *args: object) -> Result:
    return run("--data", data, "--model", model, "--jobs", 1, "--resamples", 10, *args)


def test_table_on_stdout_and_figures_in_json(small_dataset, tiny_model_dir, tmp_path):
    result = quick(small_dataset, tiny_model_dir, "--tiers", "raw,hard", "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    assert "12 ai from 2 sources" in result.stdout and "87.5%" in result.stdout and "hard" in result.stdout
    (record,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["splits"]
    assert list(record["models"][0]["tiers"]) == ["raw", "hard"]


def test_two_models_use_the_same_images(small_dataset, tiny_model_dir, tmp_path):
    result = quick(
        small_dataset,
        tiny_model_dir,
        "--model",
        tiny_model_dir,
        "--tiers",
        "raw",
        "--json",
        tmp_path / "o.json",
    )
    assert result.exit_code == 0
    first, second = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))["splits"][0]["models"]
    assert first == second


def test_write_card_uses_every_split_except_training(small_dataset, tiny_model_dir, tmp_path):
    for split in ("train", "val", "test"):
        shutil.copytree(small_dataset, tmp_path / "set" / split)
    shutil.copytree(tiny_model_dir, tmp_path / "tiny")
    result = quick(tmp_path / "set", tmp_path / "tiny", "--write-card")
    assert result.exit_code == 0, result.output
    splits = json.loads((tmp_path / "tiny/model.json").read_text(encoding="utf-8"))["measured"]["splits"]
    assert splits.keys() == {"val", "test"} and splits["test"]["tier"] == "equalised"


def test_write_card_skips_training_splits(small_dataset, tiny_model_dir, tmp_path):
    for split in ("train", "val", "test"):
        shutil.copytree(small_dataset, tmp_path / "set" / split)
    shutil.copytree(tiny_model_dir, tmp_path / "tiny")
    facts = json.loads((tmp_path / "tiny/model.json").read_text(encoding="utf-8"))
    facts["training"] = {**facts.get("training", {}), "splits": ["train", "val"]}
    (tmp_path / "tiny/model.json").write_text(json.dumps(facts), encoding="utf-8")
    assert quick(tmp_path / "set", tmp_path / "tiny", "--write-card").exit_code == 0
    splits = json.loads((tmp_path / "tiny/model.json").read_text(encoding="utf-8"))["measured"]["splits"]
    assert splits.keys() == {"test"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--tiers", "raw,fog"), "fog"),
        (("--table", "page.md"), "--write-card"),
        (("--command", 'x=echo "abc'), "No closing quotation"),
        (("--jobs", "9" * 20), "--jobs"),
        (
            ("--leave-one-out", "--report", "r.html", "--tiers", "raw"),
            "combined with --model, --tiers, --report",
        ),
        (("--report", "no/where/r.html"), "no/where/r.html: folder "),
        (("--json", "no/where/r.json"), "no/where/r.json: folder "),
        (("--write-card", "--table", "no/where/page.md"), "no/where/page.md: folder "),
        (("--write-card", "--table", "no-page.md"), "no-page.md: No such file"),
        (("--write-card", "--table", __file__), "are missing"),
    ],
)
def test_usage_error_exits_2_before_work_starts(small_dataset, tiny_model_dir, args, words, monkeypatch):
    monkeypatch.setattr("imageprocess.evaluate.study.evaluate", _never)
    monkeypatch.setattr("imageprocess.evaluate.leave_one_out.leave_one_out", _never)
    result = quick(small_dataset, tiny_model_dir, *args)
    assert result.exit_code == 2 and words in result.output


def _never(*_: object, **__: object) -> None:
    raise AssertionError("the measurement was started")


def test_write_card_needs_a_model_folder(small_dataset, monkeypatch):
    monkeypatch.setattr("imageprocess.evaluate.study.evaluate", _never)
    result = run("--data", small_dataset, "--command", "x=echo", "--write-card")
    assert result.exit_code == 2 and "name it with --model" in result.output


def test_unwritable_report_is_reported_before_work_starts(
    small_dataset, tiny_model_dir, tmp_path, monkeypatch
):
    monkeypatch.setattr("imageprocess.evaluate.study.evaluate", _never)
    monkeypatch.setitem(sys.modules, "jinja2", None)  # makes the import fail
    monkeypatch.delitem(sys.modules, "imageprocess.evaluate.page", raising=False)
    result = quick(small_dataset, tiny_model_dir, "--report", tmp_path / "r.html")
    assert result.exit_code == 1 and "imageprocess[report]" in result.output


def test_report_with_images(small_dataset, tiny_model_dir, tmp_path):
    pytest.importorskip("jinja2")
    result = quick(small_dataset, tiny_model_dir, "--tiers", "raw", "--report", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!")


def test_missing_split_exits_1(small_dataset, tiny_model_dir):
    result = quick(small_dataset, tiny_model_dir, "--split", "val")
    assert result.exit_code == 1 and "no split val" in result.output
