"""data build: resuming, rebuilding and changed entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageprocess.data import build as build_module
from testkit.pictures import encode, scene
from tests.support.repositories import Commit, entry, jpegs


def test_interrupted_build_resumes(
    run_build, commit: Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    sources = [entry(f"s{i}", "ai", f"o/{i}", commit(f"o/{i}", jpegs(100 * i, 10))) for i in range(3)]
    whole = run_build(*sources, out="whole")

    def stop_at_third(what: str, done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_build(*sources, progress=stop_at_third)
    assert not (tmp_path / "out" / "index.csv").exists()
    located: list[str] = []
    real_locate = build_module._locate
    monkeypatch.setattr(
        build_module, "_locate", lambda e, *rest: (located.append(e.id), real_locate(e, *rest))[1]
    )
    report = run_build(*sources)
    assert located == ["s2"], "finished sources are not read again"
    assert report.rows == whole.rows


def test_rebuild_is_identical(run_build, commit: Commit, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Also where the first build dropped duplicates and relatives, and where another choice came between."""
    files = {
        **jpegs(0, 20),
        **{f"v/{i}.png": encode(scene(i, 192, 144).crop((6, 4, 186, 140)), "PNG") for i in range(20)},
    }
    first = entry("a", "ai", "o/a", commit("o/a", files), permissive=False)
    second = entry("b", "ai", "o/b", commit("o/b", {**jpegs(50, 10), "same.jpg": files["img/0.jpg"]}))
    report = run_build(first, second)
    alone = run_build(first, second, permissive_only=True)
    assert len(alone.rows) == 11
    assert all((tmp_path / "out" / row.path).exists() for row in alone.rows)
    assert run_build(first, second).rows == report.rows
    assert all((tmp_path / "out" / row.path).exists() for row in report.rows)


def test_changed_entry_is_reread(run_build, commit: Commit) -> None:  # type: ignore[no-untyped-def]
    source = entry("one", "ai", "o/n", commit("o/n", jpegs(0, 10)))
    assert len(run_build(source).rows) == 10
    assert len(run_build({**source, "cap": 4}).rows) == 4


def test_descriptive_fields_change_only_the_index(
    run_build, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    source = entry("one", "ai", "o/n", commit("o/n", jpegs(0, 10)))
    run_build(source)
    monkeypatch.setattr(build_module, "_locate", lambda *_: pytest.fail("read again"))
    rows = run_build({**source, "category": "art", "generator": "flux", "private_people": True}).rows
    assert {(row.category, row.generator, row.private_people) for row in rows} == {("art", "flux", True)}
