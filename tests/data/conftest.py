"""Fixtures for `data build`: git repositories, and builds from them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imageprocess.data.build import BuildReport, build
from tests.support.repositories import Commit, make_commit, write_manifest


@pytest.fixture
def git_root(tmp_path: Path) -> Path:
    return tmp_path / "clones"


@pytest.fixture
def commit(git_root: Path) -> Commit:
    """commit("owner/name", {path: bytes, or None to delete}) -> the commit's id, in a clone below git_root."""
    return partial(make_commit, git_root)


@pytest.fixture
def run_build(tmp_path: Path, git_root: Path):  # type: ignore[no-untyped-def]
    """run_build(entry, ..., options of build) -> its report; the data set is written to tmp_path / "out"."""

    def go(*entries: dict[str, Any], out: str = "out", **options: Any) -> BuildReport:
        manifest = write_manifest(tmp_path / "manifest.json", *entries)
        return build(tmp_path / out, git_root=git_root, manifest=manifest, **options)

    return go
