"""data build: duplicates, groups, splits and test sets."""

from __future__ import annotations

from collections import Counter

from testkit.pictures import encode, scene
from tests.support.repositories import Commit, entry, jpegs


def test_source_of_mostly_duplicates_is_excluded(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    """More than half of "b" is in "a"; what "c" shares with "b" alone stays in "c"."""
    a, b = jpegs(0, 10), jpegs(4, 10)
    c = {**jpegs(10, 2), **jpegs(100, 8)}
    report = run_build(
        entry("a", "ai", "o/a", commit("o/a", a)),
        entry("b", "ai", "o/b", commit("o/b", b)),
        entry("c", "ai", "o/c", commit("o/c", c)),
    )
    assert Counter(row.source for row in report.rows) == {"a": 10, "c": 10}
    assert report.copies == {"b": "6 of its 10 pictures are duplicates of other sources: a (6)"}
    assert report.dropped["in a source that repeats others"] == 10
    half = run_build(
        entry("a", "ai", "o/a", commit("o/a", {})),
        entry("d", "ai", "o/d", commit("o/d", jpegs(5, 10))),
        out="half",
    )
    assert Counter(row.source for row in half.rows) == {"a": 10, "d": 5} and half.copies == {}


def test_duplicates_across_test_sets_are_removed_from_newer_set(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    report = run_build(
        entry("a", "ai", "o/a", commit("o/a", jpegs(0, 10)), split="open_test", test_set="open_test_2"),
        entry("b", "ai", "o/b", commit("o/b", jpegs(8, 10)), split="open_test", test_set="open_test_1"),
    )
    assert Counter(row.test_set for row in report.rows) == {"open_test_1": 10, "open_test_2": 8}


def test_edits_are_a_separate_test_set(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    """Also where the picture that was edited is measured; where it is trained on, it goes."""
    edits = {f"{i}.png": encode(scene(i, 96, 72), "PNG") for i in range(6)}
    sources = (
        entry("edits", "ai", "o/e", commit("o/e", edits), category="edit", generator="sdxl"),
        entry("measured", "real", "o/m", commit("o/m", jpegs(0, 3)), split="open_test"),
        entry("trained", "real", "o/t", commit("o/t", jpegs(5, 10))),
    )
    rows = run_build(*sources).rows
    assert Counter((row.source, row.split == "open_test", row.test_set) for row in rows) == {
        ("edits", True, "edits"): 6,
        ("measured", True, "open_test_2"): 3,
        ("trained", False, ""): 9,
    }
    assert {row.generator for row in rows if row.source == "edits"} == {"sdxl"}
    trained = run_build(*sources, train_on_edits=True).rows
    assert Counter((row.source, row.split == "open_test") for row in trained) == {
        ("edits", False): 3,
        ("measured", True): 3,
        ("trained", False): 10,
    }
    both = [row for row in trained if row.source == "trained" or row.source == "edits"]
    assert max(Counter(row.group for row in both).values()) == 2, "an edit and its original are one group"


def test_duplicates_are_removed_within_and_across_sources(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = jpegs(0, 10)
    files["img/re-encoded.webp"] = encode(scene(3, 96, 72), "WEBP", quality=60)
    other = {
        **jpegs(100, 10),
        "img/same.jpg": files["img/0.jpg"],
        "img/large.png": encode(scene(4, 384, 288), "PNG"),
    }
    report = run_build(
        entry("a", "ai", "o/a", commit("o/a", files)),
        entry("b", "ai", "o/b", commit("o/b", other)),
    )
    assert len(report.rows) == 20
    assert report.dropped["exact duplicate"] == 1
    assert report.dropped["near duplicate"] == 2


def test_duplicates_across_splits_are_removed_from_training(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    """A duplicate, and a variant that is no duplicate, of an open_test picture."""
    measured = {"1.png": encode(scene(1), "PNG"), "2.png": encode(scene(2), "PNG")}
    variant = encode(scene(2).crop((12, 9, 308, 231)), "PNG")
    training = {**jpegs(10, 5), "copy.jpg": encode(scene(1), "JPEG", quality=50), "variant.png": variant}
    report = run_build(
        entry("a-trains", "real", "o/t", commit("o/t", training)),
        entry("b-measures", "real", "o/m", commit("o/m", measured), split="open_test"),
    )
    assert Counter(row.source for row in report.rows) == {"a-trains": 5, "b-measures": 2}
    assert {row.split for row in report.rows if row.source == "b-measures"} == {"open_test"}
    assert not [row for row in report.rows if row.source == "a-trains" and row.split == "open_test"]


def test_images_of_one_prompt_share_a_split(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    files = {
        f"renders/prompt {p}/{i}.jpg": encode(scene(100 * p + i, 96, 72), "JPEG")
        for p in range(10)
        for i in range(4)
    }
    rows = run_build(entry("one", "ai", "o/n", commit("o/n", files), group="renders/([^/]+)/")).rows
    assert sorted(Counter(row.group for row in rows).values()) == [4] * 10
    assert len({(row.group, row.split) for row in rows}) == 10
    assert Counter(row.split for row in rows) == {"train": 32, "val": 4, "test": 4}
