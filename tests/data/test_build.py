"""data build from small repositories of the tests' own: what it takes, cuts, drops, splits and survives."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imageprocess.data import build as build_module
from imageprocess.data.build import BuildReport, build
from imageprocess.data.index import data_id, read_index
from imageprocess.errors import DataError, UsageError
from testkit.pictures import encode, scene
from tests.support.repositories import Commit, entry, git, write_manifest


@pytest.fixture
def run(tmp_path: Path, git_root: Path):  # type: ignore[no-untyped-def]
    """run(entry, ..., build's own options) -> its report; the set lies in tmp_path / "out"."""

    def go(*entries: dict[str, Any], out: str = "out", **options: Any) -> BuildReport:
        manifest = write_manifest(tmp_path / "manifest.json", *entries)
        return build(tmp_path / out, git_root=git_root, manifest=manifest, **options)

    return go


def jpegs(first: int, count: int, folder: str = "img") -> dict[str, bytes]:
    return {f"{folder}/{i}.jpg": encode(scene(i, 96, 72), "JPEG") for i in range(first, first + count)}


def test_files_are_taken_as_they_are(run, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    fakes, photos = jpegs(0, 10), {**jpegs(100, 10), "img/small.jpg": encode(scene(5000, 40, 300), "JPEG")}
    a = entry("fakes", "ai", "o/fakes", commit("o/fakes", fakes), include=r"\.jpg$", origin="a generator")
    b = entry(
        "photos", "real", "o/photos", commit("o/photos", {**photos, "note.txt": b"hi"}), include="^img/"
    )
    report = run(a, b)
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


def test_what_does_not_decode_is_counted(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = {
        **jpegs(0, 3),
        "img/cut.jpg": encode(scene(9, 300, 300), "JPEG")[:2000],
        "img/text.jpg": b"no picture",
    }
    report = run(entry("one", "ai", "o/n", commit("o/n", files)))
    assert len(report.rows) == 3
    assert report.dropped["does not decode (corrupt)"] == 1
    assert report.dropped["does not decode (unsupported_format)"] == 1


def test_a_plain_surface_teaches_nothing(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = {**jpegs(0, 3), "img/grey.png": encode(Image.new("RGB", (90, 90), "grey"), "PNG")}
    assert run(entry("one", "ai", "o/n", commit("o/n", files))).dropped["a plain surface"] == 1


def test_sheets_are_split_losslessly_and_stay_together(run, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tiles = [scene(seed, 64, 64) for seed in range(24)]
    files = {}
    for sheet in range(4):
        whole = Image.new("RGB", (192, 128))
        for place, tile in enumerate(tiles[6 * sheet : 6 * sheet + 6]):
            whole.paste(tile, (64 * (place % 3), 64 * (place // 3)))
        files[f"{sheet}.png"] = encode(whole, "PNG")
    files["single.png"] = encode(scene(99, 64, 64), "PNG")  # not a sheet of 3 x 2 squares: stays whole
    rows = run(entry("sheets", "ai", "o/n", commit("o/n", files), grid=[3, 2])).rows
    assert len(rows) == 25
    found = {np.asarray(Image.open(tmp_path / "out" / row.path).convert("RGB")).tobytes() for row in rows}
    assert found == {np.asarray(tile).tobytes() for tile in tiles} | {np.asarray(scene(99, 64, 64)).tobytes()}
    assert sorted(Counter(row.group for row in rows).values()) == [1, 6, 6, 6, 6]


@pytest.mark.parametrize(("more", "box"), [
    ({"crop": [0, 0, 0, 30]}, (0, 0, 120, 90)),
    ({"crop": [5, 6, 7, 8]}, (5, 6, 113, 112)),
])  # fmt: skip
def test_captions_are_cut_off_losslessly(more, box, run, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = encode(scene(1, 120, 120), "JPEG")
    (row,) = run(entry("one", "ai", "o/n", commit("o/n", {"1.jpg": data}), **more)).rows
    expected = Image.open(io.BytesIO(data)).convert("RGB").crop(box)
    assert (row.format, row.width, row.height, row.jpeg_quality) == ("PNG", *expected.size, None)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / row.path)), np.asarray(expected))


def test_a_cap_takes_a_fixed_sample_and_leaves_no_strays(run, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = entry("one", "ai", "o/n", commit("o/n", jpegs(0, 50)), cap=7)
    report = run(source)
    assert len(report.rows) == 7
    on_disk = [path for path in (tmp_path / "out" / "images").rglob("*") if path.is_file()]
    assert len(on_disk) == 7
    again = run(source, out="again")
    assert data_id(again.rows) == data_id(report.rows)


def test_the_default_cap_is_of_entries_that_name_none(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    first = entry("first", "ai", "o/a", commit("o/a", jpegs(0, 12)))
    second = entry("second", "ai", "o/b", commit("o/b", jpegs(100, 12)), cap=9)
    report = run(first, second, cap=5)
    assert Counter(row.source for row in report.rows) == {"first": 5, "second": 9}
    assert Counter(row.source for row in run(first, second).rows) == {"first": 12, "second": 9}


def test_a_cap_takes_tiles_of_many_sheets(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = {}
    for sheet in range(5):
        whole = Image.new("RGB", (128, 128))
        for place in range(4):
            whole.paste(scene(4 * sheet + place, 64, 64), (64 * (place % 2), 64 * (place // 2)))
        files[f"{sheet}.png"] = encode(whole, "PNG")
    rows = run(entry("sheets", "ai", "o/n", commit("o/n", files), grid=[2, 2], cap=5)).rows
    assert sorted(Counter(row.group for row in rows).values()) == [1] * 5
    rows = run(entry("sheets", "ai", "o/n", commit("o/n", files), grid=[2, 2], cap=9), out="more").rows
    assert len(rows) == 9


def test_a_source_that_repeats_others_is_left_out(run, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """More than half of "b" is in "a"; what "c" shares with "b" alone stays in "c"."""
    a, b = jpegs(0, 10), jpegs(4, 10)
    c = {**jpegs(10, 2), **jpegs(100, 8)}
    report = run(
        entry("a", "ai", "o/a", commit("o/a", a)),
        entry("b", "ai", "o/b", commit("o/b", b)),
        entry("c", "ai", "o/c", commit("o/c", c)),
    )
    assert Counter(row.source for row in report.rows) == {"a": 10, "c": 10}
    assert report.copies == {"b": "6 of its 10 pictures are duplicates of other sources: a (6)"}
    assert report.dropped["in a source that repeats others"] == 10
    half = run(
        entry("a", "ai", "o/a", commit("o/a", {})),
        entry("d", "ai", "o/d", commit("o/d", jpegs(5, 10))),
        out="half",
    )
    assert Counter(row.source for row in half.rows) == {"a": 10, "d": 5} and half.copies == {}


def test_an_older_test_set_keeps_its_pictures(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    report = run(
        entry("a", "ai", "o/a", commit("o/a", jpegs(0, 10)), split="open_test", test_set="open_test_2"),
        entry("b", "ai", "o/b", commit("o/b", jpegs(8, 10)), split="open_test", test_set="open_test_1"),
    )
    assert Counter(row.test_set for row in report.rows) == {"open_test_1": 10, "open_test_2": 8}


def test_edits_are_measured_apart(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    """Also where the picture that was edited is measured; where it is trained on, it goes."""
    edits = {f"{i}.png": encode(scene(i, 96, 72), "PNG") for i in range(6)}
    sources = (
        entry("edits", "ai", "o/e", commit("o/e", edits), category="edit", generator="sdxl"),
        entry("measured", "real", "o/m", commit("o/m", jpegs(0, 3)), split="open_test"),
        entry("trained", "real", "o/t", commit("o/t", jpegs(5, 10))),
    )
    rows = run(*sources).rows
    assert Counter((row.source, row.split == "open_test", row.test_set) for row in rows) == {
        ("edits", True, "edits"): 6,
        ("measured", True, "open_test_2"): 3,
        ("trained", False, ""): 9,
    }
    assert {row.generator for row in rows if row.source == "edits"} == {"sdxl"}
    trained = run(*sources, train_on_edits=True).rows
    assert Counter((row.source, row.split == "open_test") for row in trained) == {
        ("edits", False): 3,
        ("measured", True): 3,
        ("trained", False): 10,
    }
    both = [row for row in trained if row.source == "trained" or row.source == "edits"]
    assert max(Counter(row.group for row in both).values()) == 2, "an edit and its original are one group"


def test_duplicates_go_within_and_across_sources(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = jpegs(0, 10)
    files["img/re-encoded.webp"] = encode(scene(3, 96, 72), "WEBP", quality=60)
    other = {
        **jpegs(100, 10),
        "img/same.jpg": files["img/0.jpg"],
        "img/large.png": encode(scene(4, 384, 288), "PNG"),
    }
    report = run(
        entry("a", "ai", "o/a", commit("o/a", files)),
        entry("b", "ai", "o/b", commit("o/b", other)),
    )
    assert len(report.rows) == 20
    assert report.dropped["exact duplicate"] == 1
    assert report.dropped["near duplicate"] == 2


def test_of_a_pair_across_splits_the_training_picture_goes(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    """A duplicate, and a variant that is no duplicate, of an open_test picture."""
    measured = {"1.png": encode(scene(1), "PNG"), "2.png": encode(scene(2), "PNG")}
    variant = encode(scene(2).crop((12, 9, 308, 231)), "PNG")
    training = {**jpegs(10, 5), "copy.jpg": encode(scene(1), "JPEG", quality=50), "variant.png": variant}
    report = run(
        entry("a-trains", "real", "o/t", commit("o/t", training)),
        entry("b-measures", "real", "o/m", commit("o/m", measured), split="open_test"),
    )
    assert Counter(row.source for row in report.rows) == {"a-trains": 5, "b-measures": 2}
    assert {row.split for row in report.rows if row.source == "b-measures"} == {"open_test"}
    assert not [row for row in report.rows if row.source == "a-trains" and row.split == "open_test"]


def test_a_prompt_never_lies_in_two_splits(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = {
        f"renders/prompt {p}/{i}.jpg": encode(scene(100 * p + i, 96, 72), "JPEG")
        for p in range(10)
        for i in range(4)
    }
    rows = run(entry("one", "ai", "o/n", commit("o/n", files), group="renders/([^/]+)/")).rows
    assert sorted(Counter(row.group for row in rows).values()) == [4] * 10
    assert len({(row.group, row.split) for row in rows}) == 10
    assert Counter(row.split for row in rows) == {"train": 32, "val": 4, "test": 4}


def test_files_of_the_history_by_blob_list(run, commit: Commit, tmp_path: Path, git_root: Path) -> None:  # type: ignore[no-untyped-def]
    files = jpegs(0, 3)
    commit("o/n", files)
    blob = git(git_root / "o+n", "rev-parse", "HEAD:img/1.jpg")
    head = commit("o/n", {"img/1.jpg": None})
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "list.tsv").write_text(f"{blob}\timg/1.jpg\n{'f' * 40}\timg/gone.jpg\n")
    report = run(entry("one", "ai", "o/n", head, blobs="list.tsv"))
    assert [(tmp_path / "out" / row.path).read_bytes() for row in report.rows] == [files["img/1.jpg"]]
    assert report.dropped["missing from the clone"] == 1


def test_broken_sources_do_not_stop_the_rest(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    known = commit("o/good", jpegs(0, 3))
    report = run(
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


def test_nothing_at_all_is_an_error(run) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match="no image could be built; absent: "):
        run(entry("absent", "ai", "o/absent", "0" * 40))


def test_licence_and_choice(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    free = entry("free", "ai", "o/a", commit("o/a", jpegs(0, 3)))
    other = entry(
        "other", "real", "o/b", commit("o/b", jpegs(10, 3)), permissive=False, licence="none stated"
    )
    assert {row.source for row in run(free, other, out="1").rows} == {"free", "other"}
    assert {row.source for row in run(free, other, out="2", permissive_only=True).rows} == {"free"}
    assert {row.source for row in run(free, other, out="3", only=frozenset({"other"})).rows} == {"other"}
    with pytest.raises(UsageError, match="--only fre, oter: no such source"):
        run(free, other, out="4", only=frozenset({"other", "oter", "fre"}))


def test_an_interrupted_build_goes_on(
    run, commit: Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    sources = [entry(f"s{i}", "ai", f"o/{i}", commit(f"o/{i}", jpegs(100 * i, 10))) for i in range(3)]
    whole = run(*sources, out="whole")

    def stop_at_third(what: str, done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(*sources, progress=stop_at_third)
    assert not (tmp_path / "out" / "index.csv").exists()
    located: list[str] = []
    real_locate = build_module._locate
    monkeypatch.setattr(
        build_module, "_locate", lambda e, *rest: (located.append(e.id), real_locate(e, *rest))[1]
    )
    report = run(*sources)
    assert located == ["s2"], "finished sources are not read again"
    assert report.rows == whole.rows


def test_building_again_comes_to_the_same(run, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Also where the first build dropped duplicates and relatives, and where another choice came between."""
    files = {
        **jpegs(0, 20),
        **{f"v/{i}.png": encode(scene(i, 192, 144).crop((6, 4, 186, 140)), "PNG") for i in range(20)},
    }
    first = entry("a", "ai", "o/a", commit("o/a", files), permissive=False)
    second = entry("b", "ai", "o/b", commit("o/b", {**jpegs(50, 10), "same.jpg": files["img/0.jpg"]}))
    report = run(first, second)
    alone = run(first, second, permissive_only=True)
    assert len(alone.rows) == 11
    assert all((tmp_path / "out" / row.path).exists() for row in alone.rows)
    assert run(first, second).rows == report.rows
    assert all((tmp_path / "out" / row.path).exists() for row in report.rows)


def test_a_changed_entry_is_read_again(run, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    source = entry("one", "ai", "o/n", commit("o/n", jpegs(0, 10)))
    assert len(run(source).rows) == 10
    assert len(run({**source, "cap": 4}).rows) == 4


def test_what_is_only_said_of_a_source_changes_the_index_alone(
    run, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    source = entry("one", "ai", "o/n", commit("o/n", jpegs(0, 10)))
    run(source)
    monkeypatch.setattr(build_module, "_locate", lambda *_: pytest.fail("read again"))
    rows = run({**source, "category": "art", "generator": "flux", "private_people": True}).rows
    assert {(row.category, row.generator, row.private_people) for row in rows} == {("art", "flux", True)}
