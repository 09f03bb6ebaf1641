"""`imageprocess detect`: inputs, options and exit status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imageprocess.model.evidence import percent
from testkit.pictures import encode, plain
from testkit.serving import serving_files
from tests.support.jsonl import jsonl_records


def test_text_output(folder: Path, detect: Any) -> None:
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
def test_text_prints_probability_once(folder: Path, detect: Any, mode: str) -> None:
    for name in ("bright.png", "dark.jpg", "grey.webp"):
        (record,) = jsonl_records(detect(name, "--mode", mode, "--format", "jsonl").stdout)
        percentage = percent(record["verdict"]["probability_ai"])
        assert detect(name, "--mode", mode).stdout.count(f" {percentage}") == 1


def test_folder_with_and_without_recursion(folder: Path, detect: Any) -> None:
    result = detect(".", "--format", "jsonl")
    assert [record["source"] for record in jsonl_records(result.stdout)] == [
        "bright.png", "broken.png", "dark.jpg", "grey.webp",
    ]  # fmt: skip
    assert [record["source"] for record in jsonl_records(detect(".", "-r", "--format", "jsonl").stdout)][
        -1
    ] == "sub/bright.png"


def test_output_keeps_input_order_with_jobs_and_batches(folder: Path, detect: Any) -> None:
    names = ["grey.webp", "missing.png", "bright.png", "broken.png", "dark.jpg"] * 3
    result = detect(*names, "--format", "jsonl", "--jobs", "3", "--batch-size", "2")
    assert [record["source"] for record in jsonl_records(result.stdout)] == names
    assert [record.get("error", {}).get("code") for record in jsonl_records(result.stdout)][:5] == [
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


def test_unknown_model_is_usage_error(folder: Path, detect: Any) -> None:
    result = detect("bright.png", "--model", "no-such-model", model=False)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no-such-model: neither a shipped model (" in result.stderr


def test_invalid_path_fails_only_its_own_record(folder: Path, detect: Any) -> None:
    result = detect("dark.jpg", "x" * 5000 + ".jpg", "dark.jpg/below.png", "--format", "jsonl")
    assert result.exit_code == 1
    assert [record.get("error", {}).get("code") for record in jsonl_records(result.stdout)] == [
        None,
        "not_found",
        "not_found",
    ]


def test_reads_image_from_stdin(folder: Path, detect: Any) -> None:
    data = (folder / "dark.jpg").read_bytes()
    result = detect("-", "bright.png", "--format", "jsonl", stdin=data)
    assert [(r["source"], r["verdict"]["label"]) for r in jsonl_records(result.stdout)] == [
        ("-", "real"),
        ("bright.png", "ai"),
    ]


def test_reads_paths_from_list(folder: Path, detect: Any) -> None:
    (folder / "list.txt").write_text("dark.jpg\n\nmissing.png\nbright.png")
    from_file = detect("--from-list", "list.txt", "--format", "jsonl")
    from_stdin = detect("--from-list", "-", "--format", "jsonl", stdin=(folder / "list.txt").read_bytes())
    for result in (from_file, from_stdin):
        assert result.exit_code == 1
        assert [record["source"] for record in jsonl_records(result.stdout)] == [
            "dark.jpg",
            "missing.png",
            "bright.png",
        ]


def test_expands_quoted_glob(folder: Path, detect: Any) -> None:
    records = jsonl_records(detect("**/bright.*", "--format", "jsonl").stdout)
    assert [record["source"] for record in records] == ["bright.png", "sub/bright.png"]


def test_mode_and_threshold_change_label(folder: Path, detect: Any) -> None:
    def label(*arguments: str) -> str:
        return str(
            jsonl_records(detect("grey.webp", "--format", "jsonl", *arguments).stdout)[0]["verdict"]["label"]
        )

    assert label() == label("--mode", "high-confidence") == "unsure"
    assert label("--mode", "best-guess") == label("--threshold", "0.6") == "ai"
    assert label("--threshold", "0.9") == "real"


def test_only_runs_selected_checks(folder: Path, detect: Any) -> None:
    (record,) = jsonl_records(
        detect("bright.png", "--only", "provenance, watermark", "--format", "jsonl").stdout
    )
    assert record["model"] is None and record["evidence"] == []


@pytest.mark.parametrize("option", ["--jobs", "--batch-size"])
def test_number_out_of_range_is_usage_error(folder: Path, detect: Any, option: str) -> None:
    result = detect("dark.jpg", option, "9" * 20)
    assert result.exit_code == 2 and option in result.stderr


def test_empty_folder_is_an_error(folder: Path, detect: Any) -> None:
    (folder / "empty").mkdir()
    loud, quiet = detect("empty", "--format", "json"), detect("empty", "--format", "json", "--quiet")
    assert (loud.exit_code, loud.stdout, loud.stderr) == (1, "[]\n", "No image found.\n")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (1, "[]\n", "")


def test_hints_at_images_in_subfolders(folder: Path, detect: Any) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "a.png").write_bytes(encode(plain(255), "PNG"))
    hint = "deep: images in subfolders were skipped; use -r to include them.\n"
    result = detect("deep")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", hint + "No image found.\n")
    result = detect("deep", "bright.png")
    assert result.exit_code == 0 and result.stderr == hint
    result = detect("deep", "-r")
    assert result.exit_code == 0 and result.stderr == ""


def test_worker_processes_give_the_same_records(folder: Path, detect: Any) -> None:
    names = ["grey.webp", "missing.png", "bright.png", "broken.png", "dark.jpg"] * 8

    def answers(*arguments: str) -> list[dict[str, Any]]:
        records = jsonl_records(detect(*names, "-", "--format", "jsonl", *arguments, stdin=data).stdout)
        return [{k: v for k, v in record.items() if k != "elapsed_ms"} for record in records]

    data = (folder / "dark.jpg").read_bytes()
    shared = answers("--jobs", "2", "--heatmap", "shared")
    assert [record["source"] for record in shared] == [*names, "-"]
    assert shared == answers("--jobs", "1", "--heatmap", "alone")
    maps = [
        sorted((path.name, path.read_bytes()) for path in (folder / f).iterdir()) for f in ("shared", "alone")
    ]
    assert maps[0] == maps[1] and len(maps[0]) == 25


def test_url_is_fetched_and_redirects_reported(
    folder: Path, detect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_files(folder) as site:
        result = detect(f"{site}/moved/bright.png", "--format", "jsonl", "--allow-private")
        (record,) = jsonl_records(result.stdout)
        assert (record["source"], record["verdict"]["label"]) == (f"{site}/moved/bright.png", "ai")
        assert result.stderr == f"{site}/moved/bright.png redirects to {site}/bright.png\n"
        (folder / "list").write_text(f"{site}/dark.jpg\n")
        listed = detect("--from-list", "list", "--format", "jsonl", "--allow-private", "-q")
        assert [r["verdict"]["label"] for r in jsonl_records(listed.stdout)] == [
            "real"
        ] and listed.stderr == ""
        refused = detect(f"{site}/bright.png")
        assert refused.exit_code == 1 and "not a public address; --allow-private" in refused.stdout
