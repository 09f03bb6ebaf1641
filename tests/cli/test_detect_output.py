"""What `imageprocess detect` writes: formats, output files, heat maps, hints about missing extras."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from testkit.pictures import encode, gradient, plain
from tests.support.jsonl import jsonl_records


def test_formats_agree(folder: Path, detect: Any) -> None:
    lines = jsonl_records(detect("bright.png", "broken.png", "--format", "jsonl").stdout)
    array = json.loads(detect("bright.png", "broken.png", "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(detect("bright.png", "broken.png", "--format", "csv").stdout)))
    for record in (*lines, *array):
        record.pop("elapsed_ms", None)
    assert lines == array
    assert [row["source"] for row in rows] == [record["source"] for record in array]
    assert rows[0]["sha256"] == array[0]["sha256"]


def test_output_file_is_written_atomically(folder: Path, detect: Any) -> None:
    assert detect("dark.jpg", "-o", "out.json", "--format", "json").stdout == ""
    assert json.loads((folder / "out.json").read_text())[0]["source"] == "dark.jpg"
    before = (folder / "out.json").read_text()
    failed = detect("dark.jpg", "-", "-", "-o", "out.json")  # an error that is found only when its turn comes
    assert failed.exit_code == 2 and (folder / "out.json").read_text() == before
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "no/such/folder/out.json"], "no/such/folder/out.json: No such file or directory"),
        (["-o", "dark.jpg/out.json"], "dark.jpg/out.json: Not a directory"),
        (["-o", "/dev/full"], "/dev/full: No space left on device"),
        (["--heatmap", "dark.jpg/maps"], "dark.jpg/maps: Not a directory"),
    ],
)
def test_unwritable_output_error_names_path(
    folder: Path, detect: Any, arguments: list[str], message: str
) -> None:
    result = detect("dark.jpg", *arguments)
    assert (
        result.exit_code == 2
        and result.stderr.startswith("Error: ")
        and result.stderr.endswith(f"{message}\n")
    )


def test_output_through_symlink_and_to_device(folder: Path, detect: Any) -> None:
    (folder / "real.csv").write_text("old")
    (folder / "link.csv").symlink_to("real.csv")
    assert detect("dark.jpg", "-o", "link.csv", "--format", "csv").exit_code == 0
    assert (folder / "link.csv").is_symlink() and (folder / "real.csv").read_text().startswith("source,")
    assert detect("dark.jpg", "-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


def test_heat_maps_have_image_size_and_unique_names(folder: Path, detect: Any) -> None:
    result = detect("bright.png", "broken.png", "sub/bright.png", "-", "--heatmap", "maps/new",
                    stdin=encode(plain(200, 30, 20), "PNG"))  # fmt: skip
    assert result.exit_code == 1
    maps = sorted((folder / "maps" / "new").iterdir())
    actual = {path.name: Image.open(io.BytesIO(path.read_bytes())).size for path in maps}
    assert actual == {
        "bright.heatmap.png": (64, 48),
        "bright-2.heatmap.png": (64, 48),
        "stdin.heatmap.png": (30, 20),
    }


def test_unwritable_heat_map_keeps_the_record(folder: Path, detect: Any) -> None:
    (folder / "maps" / "dark.heatmap.png").mkdir(parents=True)
    long = "x" * 245 + ".png"
    (folder / long).write_bytes(encode(plain(255), "PNG"))
    arguments = ["dark.jpg", long, "bright.png", "--format", "jsonl", "--heatmap", "maps"]
    result = detect(*arguments)
    assert [record["status"] for record in jsonl_records(result.stdout)] == ["ok"] * 3
    assert result.exit_code == 1 and result.stderr.startswith("dark.jpg: no heat map written: ")
    assert result.stderr.endswith("3 images: 2 very likely AI-made, 1 very likely real\n")
    assert {path.name for path in (folder / "maps").iterdir() if path.is_file()} == {
        "bright.heatmap.png", "x" * 200 + ".heatmap.png",
    }  # fmt: skip
    assert detect(*arguments, "--quiet").stderr == ""


@pytest.mark.parametrize(
    ("name", "form"),
    [("out.json", "json"), ("out.jsonl", "jsonl"), ("OUT.CSV", "csv"), ("out.txt", "text"), ("out", "text")],
)
def test_output_file_suffix_selects_format(folder: Path, detect: Any, name: str, form: str) -> None:
    def written(*arguments: str) -> str:
        assert detect("dark.jpg", "--only", "provenance", *arguments).exit_code == 0
        return re.sub(r'("elapsed_ms": |,)\d+\.\d+', "", (folder / name).read_text())

    assert written("-o", name) == written("-o", name, "--format", form)
    assert written("-o", name, "--format", "csv").startswith("source,")


def test_missing_extra_is_reported_once(folder: Path, detect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64)
    for name in ("a.heic", "b.heic"):
        (folder / name).write_bytes(heic)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    result = detect("a.heic", "b.heic", "dark.jpg", "--format", "csv")
    assert result.exit_code == 1 and result.stderr.splitlines()[0] == (
        "2 files hold data that this installation cannot read or check; to enable it: pip install 'imageprocess[heic]'"
    )
    assert result.stderr.count("pip install") == 1
    assert "pip install" not in detect("dark.jpg").output


def test_unverified_credentials_name_missing_extra(
    folder: Path, detect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("c2pa")
    from testkit.credentials import IPTC, created, sign

    (folder / "signed.jpg").write_bytes(
        sign(encode(gradient(64, 48), "JPEG"), [created(IPTC + "trainedAlgorithmicMedia")])
    )
    monkeypatch.setitem(sys.modules, "c2pa", None)
    result = detect("signed.jpg")
    assert "to enable it: pip install 'imageprocess[c2pa]'" in result.stderr
    assert "c2pa-python, which verifies Content Credentials, is not installed." in result.stdout
    assert "pip install" not in result.stdout


def test_explain_reports_stability_over_augmented_views(folder: Path, detect: Any) -> None:
    text = detect("bright.png", "--explain").stdout
    assert "8 of 8 stay on the AI side." in text and "stay on" not in detect("bright.png").stdout
    record = jsonl_records(detect("dark.jpg", "--explain", "--format", "jsonl").stdout)[0]
    copies = record["evidence"][-1]["detail"]["explain"]["copies"]
    assert copies["side"] == "real" and copies["same_side"] == copies["total"] == len(copies["each"]) == 8
    assert detect("bright.png", "--explain", "--only", "provenance").exit_code == 2
