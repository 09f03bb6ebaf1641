"""Files straight from git's object store, against repositories that git itself has made."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageprocess.data.git_objects import find_git_dir, has_commit, list_tree, read_blobs
from imageprocess.errors import DataError
from tests.support.repositories import Commit, git


def test_every_kind_of_clone_is_located(git_root: Path, commit: Commit) -> None:
    commit("o/plain", {"a": b"1"})
    assert find_git_dir(git_root, "o/plain") == git_root / "o+plain" / ".git"
    (git_root / "o+bare").mkdir()
    git(git_root, "clone", "--quiet", "--bare", str(git_root / "o+plain"), "o+bare")
    assert find_git_dir(git_root, "o/bare") == git_root / "o+bare"
    (git_root / "o+inner").mkdir()
    git(git_root / "o+inner", "clone", "--quiet", str(git_root / "o+plain"), "repo")
    assert find_git_dir(git_root, "o/inner") == git_root / "o+inner" / "repo" / ".git"
    assert find_git_dir(git_root, "o/missing") is None
    (git_root / "o+empty").mkdir()
    assert find_git_dir(git_root, "o/empty") is None


def test_a_tree_is_listed_as_of_its_commit(git_root: Path, commit: Commit) -> None:
    names = {"a/1.png": b"one", "ümlaut und Leer.png": b"two", 'tab\tand "quote".png': b"three"}
    first = commit("o/n", names)
    commit("o/n", {"a/1.png": None, "later.png": b"four"})
    git_dir = git_root / "o+n" / ".git"
    assert {path for _, path in list_tree(git_dir, first)} == set(names)
    blobs = {path: blob for blob, path in list_tree(git_dir, first)}
    assert list(read_blobs(git_dir, [blobs[name] for name in names])) == list(names.values())


def test_submodules_are_not_listed(git_root: Path, commit: Commit) -> None:
    commit("o/n", {"a": b"1"})
    folder = git_root / "o+n"
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    git(folder, "commit", "--quiet", "-m", "module")
    assert [path for _, path in list_tree(folder / ".git", "HEAD")] == ["a"]


def test_blobs_are_in_order_and_missing_ones_are_none(git_root: Path, commit: Commit) -> None:
    contents = [b"", b"\n", b"\0\xff" * 50_000, b"blob 5\nhello"]
    commit("o/n", {f"{i}.bin": data for i, data in enumerate(contents)})
    git_dir = git_root / "o+n" / ".git"
    blobs = {path: blob for blob, path in list_tree(git_dir, "HEAD")}
    wanted = [blobs["0.bin"], "f" * 40, *(blobs[f"{i}.bin"] for i in (1, 2, 3, 2))]
    assert list(read_blobs(git_dir, wanted)) == [contents[0], None, *contents[1:], contents[2]]


def test_reading_can_stop_early(git_root: Path, commit: Commit) -> None:
    commit("o/n", {"a": b"1", "b": b"2"})
    git_dir = git_root / "o+n" / ".git"
    contents = read_blobs(git_dir, (blob for blob, _ in list_tree(git_dir, "HEAD")))
    assert next(contents) == b"1"
    contents.close()


def test_existing_and_missing_commits(git_root: Path, commit: Commit) -> None:
    known = commit("o/n", {"a": b"1"})
    git_dir = git_root / "o+n" / ".git"
    assert has_commit(git_dir, known)
    assert not has_commit(git_dir, "0" * 40)
    with pytest.raises(DataError, match="ls-tree failed: "):
        list_tree(git_dir, "0" * 40)
