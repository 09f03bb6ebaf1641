"""Git repositories for `data build`, made by git itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.support.repositories import Commit, make_commit


@pytest.fixture
def git_root(tmp_path: Path) -> Path:
    return tmp_path / "clones"


@pytest.fixture
def commit(git_root: Path) -> Commit:
    """commit("owner/name", {path: bytes, or None to delete}) -> the commit's id, in a clone below git_root."""
    return partial(make_commit, git_root)
