"""Git repositories and source manifests written by the tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from testkit.pictures import encode, scene

_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
}  # fmt: skip

Commit = Callable[[str, Mapping[str, bytes | None]], str]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **_GIT},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def entry(id: str, label: str, repo: str, commit: str, **more: Any) -> dict[str, Any]:
    """A minimal source entry of a manifest with every field."""
    plain = {
        "include": None, "exclude": None, "category": "photo", "shows": "test pictures", "era": "2024",
        "licence": "MIT", "permissive": True, "private_people": False, "confidence": "high", "cap": None,
        "grid": None, "crop": None, "min_side": 48, "split": "train", "origin": "drawn",
    }  # fmt: skip
    if label == "ai":
        plain |= {"generator": "other", "generator_detail": more.get("origin", "drawn")}
    if more.get("split") == "open_test":
        plain["test_set"] = "open_test_2"
    return {"id": id, "label": label, "repo": repo, "commit": commit, **plain, **more}


def write_manifest(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"schema": 2, "sources": entries}))
    return path


def make_commit(git_root: Path, repo: str, files: Mapping[str, bytes | None]) -> str:
    """Write (None: delete) files in the clone of `repo` below `git_root`; returns the commit id."""
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


def jpegs(first: int, count: int, folder: str = "img") -> dict[str, bytes]:
    """`count` JPEG files of drawn scenes, path -> bytes. `first`: the seed of the first scene."""
    return {f"{folder}/{i}.jpg": encode(scene(i, 96, 72), "JPEG") for i in range(first, first + count)}
