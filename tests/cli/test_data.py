"""`imageprocess data` on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from imageprocess.cli import main
from imageprocess.data import dedupe
from imageprocess.data.card import render_card, scarce_categories
from imageprocess.data.index import IndexRow, data_id, read_index
from imageprocess.data.manifest import load_manifest
from testkit.pictures import encode, scene
from tests.support.repositories import entry, make_commit, write_manifest


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, arguments)], prog_name="imageprocess")


@pytest.fixture
def user_folder(tmp_path: Path) -> Path:
    """A user's folder: 30 images per class in one format, and a text file."""
    for label in ("ai", "real"):
        for number in range(30):
            path = tmp_path / "mine" / label / f"gen[{number % 2}]" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(scene(number + 1000 * (label == "ai"), 210, 210), "JPEG"))
    (tmp_path / "mine" / "ai" / "note.txt").write_text("taken on a Monday")
    return tmp_path / "mine"


@pytest.fixture
def imported(user_folder: Path, tmp_path: Path) -> Path:
    result = run("import", user_folder, "--out", tmp_path / "set")
    assert result.exit_code == 0, result.output
    return tmp_path / "set"


def test_import_reports_imported_and_skipped_files(user_folder: Path, tmp_path: Path) -> None:
    result = run("import", user_folder, "--out", tmp_path / "set", "--name", "monday")
    assert result.exit_code == 0
    assert "monday" in result.stdout and "60" in result.stdout
    assert "gen[1]" in result.stdout, "brackets are no markup"
    assert "skipped ai/note.txt: not a supported image format" in result.stderr
    assert len(read_index(tmp_path / "set")) == 60


def test_import_error_names_cause(tmp_path: Path) -> None:
    result = run("import", tmp_path / "missing", "--out", tmp_path / "set")
    assert result.exit_code == 1
    assert "missing: neither a folder or file nor a name on the Hugging Face hub" in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_import_without_extra_names_install_command(
    user_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedupe, "find_spec", lambda name: None)
    result = run("import", user_folder, "--out", tmp_path / "set")
    assert result.exit_code == 1 and "pip install 'imageprocess[data]'" in result.stderr
    assert not (tmp_path / "set").exists()


def test_options_of_other_network_or_out_of_range_are_rejected(imported: Path, tmp_path: Path) -> None:
    for options, message in (
        (["--net", "look"], "'look' is not one of cnn, small32"),
        (["--batch-size", "1"], "x>=2"),
        (["--learning-rate", "0"], "x>0"),
        (["--seed", "-1"], "x>=0"),
    ):
        arguments = ["train", "--data", str(imported), "--out", str(tmp_path / "run"), *options]
        result = CliRunner().invoke(main, arguments, prog_name="imageprocess")
        assert result.exit_code == 2 and message in result.output, result.output
    assert not (tmp_path / "run").exists()


def test_data_info(imported: Path) -> None:
    result = run("info", imported)
    assert result.exit_code == 0
    assert "none stated" in result.stdout
    facts: dict[str, Any] = json.loads(run("info", imported, "--json").stdout)
    rows = read_index(imported)
    assert facts["data_id"] == data_id(rows)
    assert facts["pictures"] == 60
    assert facts["counts"]["split"] == {
        split: {"ai": n, "real": n} for split, n in (("train", 24), ("val", 3), ("test", 3))
    }
    assert facts["counts"]["long side"] == {"under 256 px": {"ai": 30, "real": 30}}


def test_data_card(imported: Path, tmp_path: Path) -> None:
    card = tmp_path / "DATA_CARD.md"
    assert run("info", imported, "--card", card).exit_code == 0
    text = card.read_text(encoding="utf-8")
    rows = read_index(imported)
    assert text.startswith(f"# Data card: {imported.name} ({data_id(rows)})\n")
    assert "| train | 24 | 24 |" in text and "| none stated | 30 | 30 |" in text
    # A row per source and class, with the number of images per split.
    for label in ("ai", "real"):
        assert all(f"| mine-gen[{number}] | {label} | gen[{number}] | " in text for number in (0, 1))
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| mine-gen[")]
    assert sum(int(number or 0) for line in lines for number in line[-4:-1]) == 60, lines


def test_data_card_names_manifest_source_with_commit() -> None:
    entry = load_manifest()[0]
    row = IndexRow(
        "a.png",
        entry.label,
        entry.id,
        "a | b",
        "art",
        "CC0",
        "0" * 64,
        1,
        1,
        1,
        "PNG",
        None,
        entry.split,
        "g",
    )
    text = render_card([row], "one")
    assert f"{entry.repo} at {entry.commit[:10]}" in text and "a \\| b" in text


def test_data_card_counts_sources_by_category_and_generator() -> None:
    row = IndexRow(
        "a.png",
        "ai",
        "one",
        "FLUX.1 [dev]",
        "photo",
        "CC0",
        "0" * 64,
        1,
        1,
        1,
        "PNG",
        None,
        "train",
        "g",
        "flux",
    )
    real = replace(row, label="real", source="two", generator="", origin="a phone")
    measured = replace(row, source="three", split="open_test", test_set="open_test_2", category="portrait")
    rows = [row, replace(row, path="b.png"), real, measured]
    text = render_card(rows, "one")
    assert "| photo | 1 | 0 | 1 | 0 |" in text and "| portrait | 0 | 1 | 0 | 0 |" in text
    assert "| FLUX | 3 | 0 |" in text and "| open_test_2 | 1 | 0 |" in text
    assert "in no training source" not in text
    unseen = replace(measured, source="unseen", origin="Ideogram 3.0")
    assert "- Ideogram: 1 pictures (unseen)" in render_card([*rows, unseen], "one")
    assert scarce_categories(rows) == ["photo", "portrait", "art"]
    enough = [
        replace(row, label=label, category=category, source=f"{label}{category}{number}")
        for label in ("ai", "real")
        for category in ("photo", "portrait", "art")
        for number in range(4)
    ]
    assert scarce_categories(enough) == []
    assert scarce_categories([replace(row, category="unknown")]) == []


def test_info_rejects_folder_without_data_set(tmp_path: Path) -> None:
    result = run("info", tmp_path)
    assert result.exit_code == 1
    assert "imageprocess data build" in result.stderr


def test_audit_json_and_exit_status(imported: Path) -> None:
    result = run("audit", imported, "--json")
    facts: dict[str, Any] = json.loads(result.stdout)
    assert facts["passed"] == (facts["equalised"]["auroc"] <= facts["limit"])
    assert result.exit_code == (0 if facts["passed"] else 1)
    assert facts["counts"]["format"] == {"JPEG": {"ai": 30, "real": 30}}


def test_audit_reports_files_that_leak_the_class(tmp_path: Path) -> None:
    """Flat images against noise: re-encoding does not hide the difference, so the audit must fail and name it."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(40):
        noise = Image.fromarray(rng.integers(0, 256, size=(210, 210, 3), dtype=np.uint8))
        for label, picture in (("ai", noise), ("real", scene(number, 210, 210))):
            path = tmp_path / "mine" / label / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(picture, "JPEG"))
    assert run("import", tmp_path / "mine", "--out", tmp_path / "set").exit_code == 0
    result = run("audit", tmp_path / "set")
    assert result.exit_code == 1
    assert "FAILED" in result.stderr and "bytes" in result.stderr
    assert "original files" in result.stdout and "pictures by source" in result.stdout


def test_build_from_local_clones(tmp_path: Path) -> None:
    pictures = {f"{i}.jpg": encode(scene(i, 64, 64), "JPEG") for i in range(10)}
    commit = make_commit(tmp_path / "clones", "o/n", pictures)
    manifest = write_manifest(
        tmp_path / "m.json", entry("good", "ai", "o/n", commit), entry("absent", "real", "o/absent", "0" * 40)
    )
    arguments = ("--out", tmp_path / "set", "--git-root", tmp_path / "clones", "--manifest", manifest)
    result = run("build", *arguments)
    assert result.exit_code == 1, "one source failed"
    assert "source absent failed" in result.stderr
    assert "0/2 good" in result.stderr
    assert len(read_index(tmp_path / "set")) == 10
    assert run("build", *arguments, "--only", "good").exit_code == 0
