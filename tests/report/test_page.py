"""HTML report of one image."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from imageprocess.cli import main
from imageprocess.decode import decode
from imageprocess.report.page import heat_png, pixels_sha256
from testkit.pictures import encode, plain, scene
from testkit.records import png, png_texts

HOSTILE = '</script><img src=x onerror="alert(1)">'


def report(tmp_path: Path, data: bytes, *more: str, name: str = "a.png") -> str:
    (tmp_path / name).write_bytes(data)
    out = tmp_path / "out.html"
    run = CliRunner().invoke(main, ["detect", str(tmp_path / name), "--report", str(out), "-q", *more])
    assert run.exit_code == 0, run.output
    return out.read_text(encoding="utf-8")


def embedded(text: str) -> dict[str, object]:
    match = re.search(r'<script type="application/json" id="record">(.*?)</script>', text)
    assert match
    record: dict[str, object] = json.loads(match[1])
    return record


def test_report_identifies_the_image(tmp_path: Path, tiny_model_dir: Path) -> None:
    data = encode(scene(1), "PNG")
    text = report(tmp_path, data, "--model", str(tiny_model_dir))
    record = embedded(text)
    assert record["sha256"] in text and record["pixels_sha256"] in text
    assert record["pixels_sha256"] == pixels_sha256(decode(data, name="a.png"))
    assert "{{" not in text and "://" not in re.sub(
        r"<script.*?</script>", "", text
    )  # all placeholders filled, no requests
    assert base64.b64encode(data).decode()[:200] not in text
    assert base64.b64encode(data).decode() in report(tmp_path, data, "--report-with-picture")


def test_pixel_hash_is_independent_of_metadata(tmp_path: Path) -> None:
    bare = encode(scene(1), "PNG")
    noted = png_texts({"parameters": "a cat\nSteps: 20, Sampler: Euler, Seed: 1, Model: x"})
    one, other = embedded(report(tmp_path, bare)), embedded(report(tmp_path, noted))
    assert one["sha256"] != other["sha256"] and one["pixels_sha256"] == other["pixels_sha256"]


def test_metadata_is_escaped(tmp_path: Path) -> None:
    note = f"{HOSTILE}\nSteps: 20, Sampler: Euler, Seed: 1, Model: {HOSTILE}"
    text = report(tmp_path, png_texts({"parameters": note}), name="a&b.png")
    assert "<img src=x" not in text and text.count("</script>") == 1
    assert "&lt;/script&gt;" in text and "a&amp;b.png" in text


def test_report_without_model_has_no_bar_and_no_heat_map(tmp_path: Path) -> None:
    text = report(tmp_path, png(), "--only", "provenance")
    assert 'class="meter"' not in text and "<figure>" not in text and "Cannot tell" in text


def test_report_per_image(tmp_path: Path, tiny_model_dir: Path) -> None:
    for folder, shade in (("x", 5), ("y", 250)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(encode(plain(shade, 300, 300), "PNG"))
    paths = [str(tmp_path / folder / "a.png") for folder in ("x", "y")]
    model = ["--model", str(tiny_model_dir), "-q"]
    run = CliRunner().invoke(main, ["detect", *paths, "--report", str(tmp_path / "reports"), *model])
    assert run.exit_code == 0
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {"a.report.html", "a-2.report.html"}
    run = CliRunner().invoke(main, ["detect", *paths, "--report", str(tmp_path / "one.html"), *model])
    assert run.exit_code == 2 and "give a folder" in run.output
    run = CliRunner().invoke(
        main, ["detect", str(tmp_path), "-r", "--report", str(tmp_path / "one.html"), *model]
    )
    assert run.exit_code == 2 and "give a folder" in run.output


@pytest.mark.parametrize("shade", [5, 250])
def test_heat_map_does_not_contain_the_image(shade: int) -> None:
    """Without the image, the heat map is drawn on grey."""
    pixels = np.full((40, 60, 3), shade, dtype=np.uint8)
    drawn = heat_png(pixels, np.zeros((2, 2), np.float32), with_picture=False)
    assert drawn == heat_png(pixels[::-1] // 2, np.zeros((2, 2), np.float32), with_picture=False)
