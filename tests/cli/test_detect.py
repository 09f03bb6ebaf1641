"""`imageprocess detect` as a person or a script uses it."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from imageprocess.cli import main
from imageprocess.model.calibrate import percent
from testkit.pictures import encode, gradient, plain
from testkit.serving import serving_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """bright.png (AI), dark.jpg (real), grey.webp (unsure), broken.png, sub/bright.png, and we stand in it."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "bright.png").write_bytes(encode(plain(255), "PNG"))
    (tmp_path / "dark.jpg").write_bytes(encode(plain(0), "JPEG"))
    (tmp_path / "grey.webp").write_bytes(encode(plain(140), "WEBP"))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "sub" / "bright.png").write_bytes(encode(plain(250), "PNG"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def detect(tiny_model_dir: Path) -> Any:
    def run(*arguments: str, stdin: bytes = b"", model: bool = True) -> Result:
        chosen = ["--model", str(tiny_model_dir)] if model else []
        return CliRunner().invoke(
            main, ["detect", *arguments, *chosen], input=stdin, prog_name="imageprocess"
        )

    return run


def _records(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_text_for_a_person(folder: Path, detect: Any) -> None:
    result = detect("bright.png", "dark.jpg")
    assert result.exit_code == 0
    first, second = (line for line in result.stdout.splitlines() if not line.startswith(" "))
    assert first.startswith("bright.png: very likely AI-made") and second.startswith(
        "dark.jpg: very likely real"
    )
    assert "\x1b" not in result.output
    assert result.stderr == "2 images: 1 very likely AI-made, 1 very likely real\n"
    assert detect("bright.png").stderr == "" and detect("bright.png", "dark.jpg", "-q").stderr == ""


@pytest.mark.parametrize("mode", ["balanced", "best-guess"])
def test_the_probability_is_printed_once(folder: Path, detect: Any, mode: str) -> None:
    for name in ("bright.png", "dark.jpg", "grey.webp"):
        (record,) = _records(detect(name, "--mode", mode, "--format", "jsonl"))
        said = percent(record["verdict"]["probability_ai"])
        assert detect(name, "--mode", mode).stdout.count(f" {said}") == 1


def test_a_folder_alone_and_with_what_lies_below(folder: Path, detect: Any) -> None:
    result = detect(".", "--format", "jsonl")
    assert [record["source"] for record in _records(result)] == [
        "bright.png", "broken.png", "dark.jpg", "grey.webp",
    ]  # fmt: skip
    assert [record["source"] for record in _records(detect(".", "-r", "--format", "jsonl"))][
        -1
    ] == "sub/bright.png"


def test_order_is_the_callers_with_jobs_and_batches(folder: Path, detect: Any) -> None:
    names = ["grey.webp", "missing.png", "bright.png", "broken.png", "dark.jpg"] * 3
    result = detect(*names, "--format", "jsonl", "--jobs", "3", "--batch-size", "2")
    assert [record["source"] for record in _records(result)] == names
    assert [record.get("error", {}).get("code") for record in _records(result)][:5] == [
        None, "not_found", None, "unsupported_format", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["bright.png", "dark.jpg"], 0),
        (["dark.jpg", "broken.png"], 1),
        (["dark.jpg", "missing.png"], 1),
        (["bright.png", "--fail-on", "ai"], 3),
        (["dark.jpg", "--fail-on", "ai"], 0),
        (["grey.webp", "--fail-on", "ai"], 0),
        (["grey.webp", "--fail-on", "unsure"], 3),
        (["bright.png", "--fail-on", "unsure"], 3),
        (["dark.jpg", "--fail-on", "unsure"], 0),
        (["broken.png", "dark.jpg", "--fail-on", "ai"], 1),
        (["broken.png", "bright.png", "--fail-on", "ai"], 3),
        ([], 2),
        (["bright.png", "--mode", "sure"], 2),
        (["bright.png", "--threshold", "2"], 2),
        (["bright.png", "--only", "exif"], 2),
        (["bright.png", "--only", ""], 2),
        (["bright.png", "--heatmap", "maps", "--only", "provenance"], 2),
        (["bright.png", "--format", "xml"], 2),
        (["bright.png", "--jobs", "0"], 2),
        (["--from-list", "missing.txt"], 2),
        (["-", "-"], 2),
        (["-", "--from-list", "-"], 2),
    ],
)
def test_exit_status(folder: Path, detect: Any, arguments: list[str], exit_code: int) -> None:
    result = detect(*arguments)
    assert result.exit_code == exit_code, result.output
    assert ("Error: " in result.stderr) == (exit_code == 2)


def test_an_unknown_model_is_wrong_usage(folder: Path, detect: Any) -> None:
    result = detect("bright.png", "--model", "no-such-model", model=False)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no-such-model: neither a shipped model (" in result.stderr


def test_a_name_that_cannot_be_looked_at_costs_its_own_record(folder: Path, detect: Any) -> None:
    result = detect("dark.jpg", "x" * 5000 + ".jpg", "dark.jpg/below.png", "--format", "jsonl")
    assert result.exit_code == 1
    assert [record.get("error", {}).get("code") for record in _records(result)] == [
        None,
        "not_found",
        "not_found",
    ]


def test_formats_say_the_same(folder: Path, detect: Any) -> None:
    lines = _records(detect("bright.png", "broken.png", "--format", "jsonl"))
    array = json.loads(detect("bright.png", "broken.png", "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(detect("bright.png", "broken.png", "--format", "csv").stdout)))
    for record in (*lines, *array):
        record.pop("elapsed_ms", None)
    assert lines == array
    assert [row["source"] for row in rows] == [record["source"] for record in array]
    assert rows[0]["sha256"] == array[0]["sha256"]


def test_one_picture_from_standard_input(folder: Path, detect: Any) -> None:
    data = (folder / "dark.jpg").read_bytes()
    result = detect("-", "bright.png", "--format", "jsonl", stdin=data)
    assert [(r["source"], r["verdict"]["label"]) for r in _records(result)] == [
        ("-", "real"),
        ("bright.png", "ai"),
    ]


def test_paths_from_a_list(folder: Path, detect: Any) -> None:
    (folder / "list.txt").write_text("dark.jpg\n\nmissing.png\nbright.png")
    from_file = detect("--from-list", "list.txt", "--format", "jsonl")
    from_stdin = detect("--from-list", "-", "--format", "jsonl", stdin=(folder / "list.txt").read_bytes())
    for result in (from_file, from_stdin):
        assert result.exit_code == 1
        assert [record["source"] for record in _records(result)] == ["dark.jpg", "missing.png", "bright.png"]


def test_a_quoted_glob(folder: Path, detect: Any) -> None:
    records = _records(detect("**/bright.*", "--format", "jsonl"))
    assert [record["source"] for record in records] == ["bright.png", "sub/bright.png"]


def test_modes_and_threshold(folder: Path, detect: Any) -> None:
    def label(*arguments: str) -> str:
        return str(_records(detect("grey.webp", "--format", "jsonl", *arguments))[0]["verdict"]["label"])

    assert label() == label("--mode", "high-confidence") == "unsure"
    assert label("--mode", "best-guess") == label("--threshold", "0.6") == "ai"
    assert label("--threshold", "0.9") == "real"


def test_only_what_was_asked(folder: Path, detect: Any) -> None:
    (record,) = _records(detect("bright.png", "--only", "provenance, watermark", "--format", "jsonl"))
    assert record["model"] is None and record["evidence"] == []


def test_output_file_is_whole_or_not_there(folder: Path, detect: Any) -> None:
    assert detect("dark.jpg", "-o", "out.json", "--format", "json").stdout == ""
    assert json.loads((folder / "out.json").read_text())[0]["source"] == "dark.jpg"
    before = (folder / "out.json").read_text()
    failed = detect("dark.jpg", "-", "-", "-o", "out.json")  # which is told when its turn comes
    assert failed.exit_code == 2 and (folder / "out.json").read_text() == before
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "no/such/folder/out.json"], "no/such/folder/out.json: No such file or directory"),
        (["-o", "dark.jpg/out.json"], "dark.jpg/out.json: Not a directory"),
        (["-o", "/dev/full"], "/dev/full: No space left on device"),
        (["--heatmap", "dark.jpg/maps"], "dark.jpg/maps: Not a directory"),
    ],
)
def test_nowhere_to_write_is_told_with_its_path(
    folder: Path, detect: Any, arguments: list[str], told: str
) -> None:
    result = detect("dark.jpg", *arguments)
    assert (
        result.exit_code == 2 and result.stderr.startswith("Error: ") and result.stderr.endswith(f"{told}\n")
    )


@pytest.mark.parametrize("option", ["--jobs", "--batch-size"])
def test_a_number_beyond_any_use_is_wrong_usage(folder: Path, detect: Any, option: str) -> None:
    result = detect("dark.jpg", option, "9" * 20)
    assert result.exit_code == 2 and option in result.stderr


def test_output_through_a_link_and_into_a_device(folder: Path, detect: Any) -> None:
    (folder / "real.csv").write_text("old")
    (folder / "link.csv").symlink_to("real.csv")
    assert detect("dark.jpg", "-o", "link.csv", "--format", "csv").exit_code == 0
    assert (folder / "link.csv").is_symlink() and (folder / "real.csv").read_text().startswith("source,")
    assert detect("dark.jpg", "-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


def test_heat_maps_have_the_pictures_size_and_own_names(folder: Path, detect: Any) -> None:
    result = detect("bright.png", "broken.png", "sub/bright.png", "-", "--heatmap", "maps/new",
                    stdin=encode(plain(200, 30, 20), "PNG"))  # fmt: skip
    assert result.exit_code == 1
    maps = sorted((folder / "maps" / "new").iterdir())
    found = {path.name: Image.open(io.BytesIO(path.read_bytes())).size for path in maps}
    assert found == {
        "bright.heatmap.png": (64, 48),
        "bright-2.heatmap.png": (64, 48),
        "stdin.heatmap.png": (30, 20),
    }


def test_a_heat_map_that_cannot_be_written_costs_no_record(folder: Path, detect: Any) -> None:
    (folder / "maps" / "dark.heatmap.png").mkdir(parents=True)
    long = "x" * 245 + ".png"
    (folder / long).write_bytes(encode(plain(255), "PNG"))
    given = ["dark.jpg", long, "bright.png", "--format", "jsonl", "--heatmap", "maps"]
    result = detect(*given)
    assert [record["status"] for record in _records(result)] == ["ok"] * 3
    assert result.exit_code == 1 and result.stderr.startswith("dark.jpg: no heat map written: ")
    assert result.stderr.endswith("3 images: 2 very likely AI-made, 1 very likely real\n")
    assert {path.name for path in (folder / "maps").iterdir() if path.is_file()} == {
        "bright.heatmap.png", "x" * 200 + ".heatmap.png",
    }  # fmt: skip
    assert detect(*given, "--quiet").stderr == ""


def test_an_empty_folder_is_an_error(folder: Path, detect: Any) -> None:
    (folder / "empty").mkdir()
    loud, quiet = detect("empty", "--format", "json"), detect("empty", "--format", "json", "--quiet")
    assert (loud.exit_code, loud.stdout, loud.stderr) == (1, "[]\n", "No image found.\n")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (1, "[]\n", "")


def test_pictures_that_lie_deeper_are_told_of(folder: Path, detect: Any) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "a.png").write_bytes(encode(plain(255), "PNG"))
    hint = "deep: images in subfolders were skipped; use -r to include them.\n"
    found = detect("deep")
    assert (found.exit_code, found.stdout, found.stderr) == (1, "", hint + "No image found.\n")
    found = detect("deep", "bright.png")
    assert found.exit_code == 0 and found.stderr == hint
    found = detect("deep", "-r")
    assert found.exit_code == 0 and found.stderr == ""


@pytest.mark.parametrize(
    ("name", "form"),
    [("out.json", "json"), ("out.jsonl", "jsonl"), ("OUT.CSV", "csv"), ("out.txt", "text"), ("out", "text")],
)
def test_the_output_files_name_chooses_the_format(folder: Path, detect: Any, name: str, form: str) -> None:
    def written(*arguments: str) -> str:
        assert detect("dark.jpg", "--only", "provenance", *arguments).exit_code == 0
        return re.sub(r'("elapsed_ms": |,)\d+\.\d+', "", (folder / name).read_text())

    assert written("-o", name) == written("-o", name, "--format", form)
    assert written("-o", name, "--format", "csv").startswith("source,")


def test_many_pictures_are_shared_among_processes_and_say_the_same(folder: Path, detect: Any) -> None:
    names = ["grey.webp", "missing.png", "bright.png", "broken.png", "dark.jpg"] * 8

    def answers(*arguments: str) -> list[dict[str, Any]]:
        records = _records(detect(*names, "-", "--format", "jsonl", *arguments, stdin=data))
        return [{k: v for k, v in record.items() if k != "elapsed_ms"} for record in records]

    data = (folder / "dark.jpg").read_bytes()
    shared = answers("--jobs", "2", "--heatmap", "shared")
    assert [record["source"] for record in shared] == [*names, "-"]
    assert shared == answers("--jobs", "1", "--heatmap", "alone")
    maps = [
        sorted((path.name, path.read_bytes()) for path in (folder / f).iterdir()) for f in ("shared", "alone")
    ]
    assert maps[0] == maps[1] and len(maps[0]) == 25


def test_an_address_is_fetched_and_its_redirects_told(
    folder: Path, detect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_files(folder) as site:
        found = detect(f"{site}/moved/bright.png", "--format", "jsonl", "--allow-private")
        (record,) = _records(found)
        assert (record["source"], record["verdict"]["label"]) == (f"{site}/moved/bright.png", "ai")
        assert found.stderr == f"{site}/moved/bright.png redirects to {site}/bright.png\n"
        (folder / "list").write_text(f"{site}/dark.jpg\n")
        listed = detect("--from-list", "list", "--format", "jsonl", "--allow-private", "-q")
        assert [r["verdict"]["label"] for r in _records(listed)] == ["real"] and listed.stderr == ""
        refused = detect(f"{site}/bright.png")
        assert refused.exit_code == 1 and "not a public address; --allow-private" in refused.stdout


def test_what_is_missing_is_said_once(folder: Path, detect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64)
    for name in ("a.heic", "b.heic"):
        (folder / name).write_bytes(heic)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    found = detect("a.heic", "b.heic", "dark.jpg", "--format", "csv")
    assert found.exit_code == 1 and found.stderr.splitlines()[0] == (
        "2 files hold data that this installation cannot read or check; to enable it: pip install 'imageprocess[heic]'"
    )
    assert found.stderr.count("pip install") == 1
    assert "pip install" not in detect("dark.jpg").output


def test_unverified_credentials_name_the_extra(
    folder: Path, detect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("c2pa")
    from testkit.credentials import IPTC, created, sign

    (folder / "signed.jpg").write_bytes(
        sign(encode(gradient(64, 48), "JPEG"), [created(IPTC + "trainedAlgorithmicMedia")])
    )
    monkeypatch.setitem(sys.modules, "c2pa", None)
    found = detect("signed.jpg")
    assert "to enable it: pip install 'imageprocess[c2pa]'" in found.stderr
    assert "c2pa-python, which verifies Content Credentials, is not installed." in found.stdout
    assert "pip install" not in found.stdout


def test_explain_says_whether_the_answer_holds_in_copies(folder: Path, detect: Any) -> None:
    said = detect("bright.png", "--explain").stdout
    assert "8 of 8 stay on the AI side." in said and "stay on" not in detect("bright.png").stdout
    record = _records(detect("dark.jpg", "--explain", "--format", "jsonl"))[0]
    copies = record["evidence"][-1]["detail"]["explain"]["copies"]
    assert copies["side"] == "real" and copies["same_side"] == copies["total"] == len(copies["each"]) == 8
    assert detect("bright.png", "--explain", "--only", "provenance").exit_code == 2
