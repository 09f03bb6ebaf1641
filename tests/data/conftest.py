"""Git repositories for `data build`, made by git itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from repositories import Commit, git


@pytest.fixture
def git_root(tmp_path: Path) -> Path:
    return tmp_path / "clones"


@pytest.fixture
def commit(git_root: Path) -> Commit:
    """commit("owner/name", {path: bytes, or None to delete}) -> the commit's id, in a clone below git_root."""

    def make(repo: str, files: Mapping[str, bytes | None]) -> str:
        folder = git_root / repo.replace("/", "+")
        if not folder.exists():
            folder.mkdir(parents=True)
            git(folder, "init", "--quiet")
        for name, data in files.items():
            path = folder / name
            if data is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--allow-empty", "-m", "files")
        return git(folder, "rev-parse", "HEAD")

    return make
