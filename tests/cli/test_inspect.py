"""`imageprocess inspect`: metadata and watermarks of a file as text and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from imageprocess.cli import main
from imageprocess.report.marks import find_marks, marks_line
from imageprocess.types import Evidence
from testkit.records import exif as exif_block
from testkit.records import jpeg, png_texts, with_exif

A1111 = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Model: x"


def run(path: Path, *options: str) -> str:
    result = CliRunner().invoke(main, ["inspect", str(path), *options])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(png_texts({"parameters": A1111, "Software": "\x1b[2Jtool"}))
    return path


def test_text_lists_metadata_watermarks_and_texts(generated: Path) -> None:
    output = run(generated)
    assert "a.png: PNG, 320 x 240 pixels" in output
    assert "GB 45438): generator's record (says AI); not found: Content Credentials" in output
    assert "seed: 42" in output and "[PNG text] parameters: a cat" in output
    assert "\x1b" not in output


def test_json_contains_full_texts(generated: Path) -> None:
    data = json.loads(run(generated, "--format", "json"))
    assert {text["name"]: text["text"] for text in data["texts"]}["parameters"] == A1111
    assert data["marks"]["generator_metadata"] == "says AI" and data["marks"]["c2pa"] == "absent"
    assert data["evidence"][0]["points_to"] == "ai" and data["pixels"] == "read"


def test_absent_watermark_is_not_a_verdict(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(with_exif("JPEG", exif_block(make="Nikon")))
    output = run(path)
    assert (
        "GB 45438): none; not found" in output
        and "The absence of marks proves nothing" in output
        and "EXIF names a camera: Nikon" in output
    )


def test_truncated_file_still_shows_metadata(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(jpeg([(0xFE, A1111.encode())])[:700])
    output = run(path)
    assert "pixels were not analysed" in output and "seed: 42" in output


def test_non_image_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("hello")
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code == 1 and "a.txt: not an image" in result.output


def test_watermarks_are_distinguished() -> None:
    label = Evidence(
        "generator_metadata", "", "unsigned", "ai", {"generator": "China's AIGC label (GB 45438), producer x"}
    )
    credentials = Evidence("c2pa", "", "trusted", "nothing")
    marks = find_marks([label, credentials])
    assert (marks["aigc"], marks["c2pa"], marks["generator_metadata"]) == ("says AI", "present", "absent")
    assert ": Content Credentials, China's AIGC label (says AI); not found" in marks_line(marks)
