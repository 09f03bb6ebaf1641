"""data build: which files are selected, cropped, split into tiles or excluded."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageprocess.data.index import data_id, read_index
from imageprocess.errors import DataError, UsageError
from testkit.pictures import encode, scene
from tests.support.repositories import Commit, entry, git, jpegs


def test_files_are_copied_unchanged(run_build, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    fakes, photos = jpegs(0, 10), {**jpegs(100, 10), "img/small.jpg": encode(scene(5000, 40, 300), "JPEG")}
    a = entry("fakes", "ai", "o/fakes", commit("o/fakes", fakes), include=r"\.jpg$", origin="a generator")
    b = entry(
        "photos", "real", "o/photos", commit("o/photos", {**photos, "note.txt": b"hi"}), include="^img/"
    )
    report = run_build(a, b)
    rows = read_index(tmp_path / "out")
    assert rows == report.rows
    assert report.failed == {}
    taken = {(row.source, (tmp_path / "out" / row.path).read_bytes()) for row in rows}
    del photos["img/small.jpg"]
    assert taken == {("fakes", data) for data in fakes.values()} | {
        ("photos", data) for data in photos.values()
    }
    assert report.dropped["under 48 px"] == 1
    for source in ("fakes", "photos"):
        splits = Counter(row.split for row in rows if row.source == source)
        assert splits == {"train": 8, "val": 1, "test": 1}
    one = next(row for row in rows if row.source == "fakes")
    assert (one.label, one.origin, one.licence, one.width, one.height, one.format, one.jpeg_quality) == (
        "ai", "a generator", "MIT", 96, 72, "JPEG", 75,
    )  # fmt: skip


def test_undecodable_files_are_counted(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = {
        **jpegs(0, 3),
        "img/cut.jpg": encode(scene(9, 300, 300), "JPEG")[:2000],
        "img/text.jpg": b"no picture",
    }
    report = run_build(entry("one", "ai", "o/n", commit("o/n", files)))
    assert len(report.rows) == 3
    assert report.dropped["does not decode (corrupt)"] == 1
    assert report.dropped["does not decode (unsupported_format)"] == 1


def test_blank_image_is_excluded(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = {**jpegs(0, 3), "img/grey.png": encode(Image.new("RGB", (90, 90), "grey"), "PNG")}
    assert run_build(entry("one", "ai", "o/n", commit("o/n", files))).dropped["a plain surface"] == 1


def test_sheets_are_split_losslessly_into_one_group(run_build, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tiles = [scene(seed, 64, 64) for seed in range(24)]
    files = {}
    for sheet in range(4):
        whole = Image.new("RGB", (192, 128))
        for place, tile in enumerate(tiles[6 * sheet : 6 * sheet + 6]):
            whole.paste(tile, (64 * (place % 3), 64 * (place // 3)))
        files[f"{sheet}.png"] = encode(whole, "PNG")
    files["single.png"] = encode(scene(99, 64, 64), "PNG")  # not a sheet of 3 x 2 squares: stays whole
    rows = run_build(entry("sheets", "ai", "o/n", commit("o/n", files), grid=[3, 2])).rows
    assert len(rows) == 25
    decoded = {np.asarray(Image.open(tmp_path / "out" / row.path).convert("RGB")).tobytes() for row in rows}
    assert decoded == {np.asarray(tile).tobytes() for tile in tiles} | {
        np.asarray(scene(99, 64, 64)).tobytes()
    }
    assert sorted(Counter(row.group for row in rows).values()) == [1, 6, 6, 6, 6]


@pytest.mark.parametrize(("more", "box"), [
    ({"crop": [0, 0, 0, 30]}, (0, 0, 120, 90)),
    ({"crop": [5, 6, 7, 8]}, (5, 6, 113, 112)),
])  # fmt: skip
def test_crop_removes_captions_losslessly(more, box, run_build, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = encode(scene(1, 120, 120), "JPEG")
    (row,) = run_build(entry("one", "ai", "o/n", commit("o/n", {"1.jpg": data}), **more)).rows
    expected = Image.open(io.BytesIO(data)).convert("RGB").crop(box)
    assert (row.format, row.width, row.height, row.jpeg_quality) == ("PNG", *expected.size, None)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / row.path)), np.asarray(expected))


def test_cap_samples_deterministically_and_writes_no_other_file(
    run_build, commit: Commit, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    source = entry("one", "ai", "o/n", commit("o/n", jpegs(0, 50)), cap=7)
    report = run_build(source)
    assert len(report.rows) == 7
    on_disk = [path for path in (tmp_path / "out" / "images").rglob("*") if path.is_file()]
    assert len(on_disk) == 7
    again = run_build(source, out="again")
    assert data_id(again.rows) == data_id(report.rows)


def test_default_cap_applies_to_entries_without_cap(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    first = entry("first", "ai", "o/a", commit("o/a", jpegs(0, 12)))
    second = entry("second", "ai", "o/b", commit("o/b", jpegs(100, 12)), cap=9)
    report = run_build(first, second, cap=5)
    assert Counter(row.source for row in report.rows) == {"first": 5, "second": 9}
    assert Counter(row.source for row in run_build(first, second).rows) == {"first": 12, "second": 9}


def test_cap_samples_tiles_from_all_sheets(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = {}
    for sheet in range(5):
        whole = Image.new("RGB", (128, 128))
        for place in range(4):
            whole.paste(scene(4 * sheet + place, 64, 64), (64 * (place % 2), 64 * (place // 2)))
        files[f"{sheet}.png"] = encode(whole, "PNG")
    rows = run_build(entry("sheets", "ai", "o/n", commit("o/n", files), grid=[2, 2], cap=5)).rows
    assert sorted(Counter(row.group for row in rows).values()) == [1] * 5
    rows = run_build(entry("sheets", "ai", "o/n", commit("o/n", files), grid=[2, 2], cap=9), out="more").rows
    assert len(rows) == 9


def test_blob_list_selects_files_from_git_history(
    run_build, commit: Commit, tmp_path: Path, git_root: Path
) -> None:  # type: ignore[no-untyped-def]
    files = jpegs(0, 3)
    commit("o/n", files)
    blob = git(git_root / "o+n", "rev-parse", "HEAD:img/1.jpg")
    head = commit("o/n", {"img/1.jpg": None})
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "list.tsv").write_text(f"{blob}\timg/1.jpg\n{'f' * 40}\timg/gone.jpg\n")
    report = run_build(entry("one", "ai", "o/n", head, blobs="list.tsv"))
    assert [(tmp_path / "out" / row.path).read_bytes() for row in report.rows] == [files["img/1.jpg"]]
    assert report.dropped["missing from the clone"] == 1


def test_failed_sources_do_not_stop_the_build(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    known = commit("o/good", jpegs(0, 3))
    report = run_build(
        entry("absent", "ai", "o/absent", "0" * 40),
        entry("other-commit", "ai", "o/good", "0" * 40),
        entry("no-match", "ai", "o/good", known, include="nothing like it"),
        entry("good", "ai", "o/good", known),
    )
    assert len(report.rows) == 3
    assert report.failed.keys() == {"absent", "other-commit", "no-match"}
    assert "o+absent" in report.failed["absent"]
    assert "0" * 40 in report.failed["other-commit"]
    assert "no file matches" in report.failed["no-match"]


def test_build_without_images_is_an_error(run_build) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match="no image could be built; absent: "):
        run_build(entry("absent", "ai", "o/absent", "0" * 40))


def test_sources_are_filtered_by_licence_and_id(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    free = entry("free", "ai", "o/a", commit("o/a", jpegs(0, 3)))
    other = entry(
        "other", "real", "o/b", commit("o/b", jpegs(10, 3)), permissive=False, licence="none stated"
    )
    assert {row.source for row in run_build(free, other, out="1").rows} == {"free", "other"}
    assert {row.source for row in run_build(free, other, out="2", permissive_only=True).rows} == {"free"}
    assert {row.source for row in run_build(free, other, out="3", only=frozenset({"other"})).rows} == {
        "other"
    }
    with pytest.raises(UsageError, match="--only fre, oter: no such source"):
        run_build(free, other, out="4", only=frozenset({"other", "oter", "fre"}))
