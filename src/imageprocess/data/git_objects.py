"""Reads files of a git repository at a commit directly from the object store, without a work tree."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError

_MAX_BLOB_BYTES = 200_000_000


def find_git_dir(git_root: Path, repo: str) -> Path | None:
    """The git directory of `repo` ("owner/name") below `git_root`, where clones lie as owner+name: a bare
    repository, a clone with a work tree, or either of them in a folder `repo`."""
    base = git_root / repo.replace("/", "+")
    for candidate in (base / "repo" / ".git", base / "repo", base / ".git", base):
        if (candidate / "HEAD").is_file() and (candidate / "objects").is_dir():
            return candidate
    return None


def locate(repo: str, commit: str | None, git_root: Path, *, may_clone: bool) -> Path:
    """The git directory of `repo` below `git_root`, cloned if missing and `may_clone`; any commit is accepted
    if `commit` is None. Raises DataError if the repository or the commit is missing."""
    git_dir = find_git_dir(git_root, repo)
    if git_dir is None:
        if not may_clone:
            raise DataError(f"{git_root}: no clone of {repo} (expected a folder {repo.replace('/', '+')})")
        git_dir = clone(repo, commit, git_root)
    if commit is not None and not has_commit(git_dir, commit):
        raise DataError(f"{git_dir}: commit {commit} is missing; fetch it")
    return git_dir


def head_commit(git_dir: Path) -> str:
    """The commit hash of the clone's HEAD, 40 hexadecimal digits."""
    return _git(git_dir, "rev-parse", "HEAD").decode("ascii").strip()


def clone(repo: str, commit: str | None, into: Path) -> Path:
    """Clone "owner/name" from GitHub as a bare repository below `into`; an interrupted clone is started again."""
    target = into / repo.replace("/", "+")
    part = target.with_name(target.name + ".part")
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rm", "-rf", "--", str(part)], check=True)
    _git(None, "clone", "--quiet", "--bare", f"https://github.com/{repo}.git", str(part))
    if commit is not None and not has_commit(part, commit):
        _git(part, "fetch", "--quiet", "origin", commit)
    part.rename(target)
    return target


def has_commit(git_dir: Path, commit: str) -> bool:
    command = ["git", f"--git-dir={git_dir}", "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def list_tree(git_dir: Path, commit: str) -> list[tuple[str, str]]:
    """[(blob id, path)] of every file of the tree at `commit`."""
    listing = _git(git_dir, "ls-tree", "-r", "-z", commit)
    pairs = []
    for line in listing.decode("utf-8", "surrogateescape").split("\0"):
        if line:
            facts, path = line.split("\t", 1)
            _mode, kind, blob = facts.split()
            if kind == "blob":
                pairs.append((blob, path))
    return pairs


def read_blobs(git_dir: Path, blobs: Iterable[str]) -> Iterator[bytes | None]:
    """The content of each blob in order; None for blobs missing in the object store (partial clones)."""
    command = ["git", f"--git-dir={git_dir}", "cat-file", "--batch"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        for blob in blobs:
            process.stdin.write(blob.encode() + b"\n")
            process.stdin.flush()
            header = process.stdout.readline().split()
            if len(header) != 3:  # "<id> missing"
                if not header:
                    raise DataError(
                        f"{git_dir}: git cat-file ended unexpectedly; check the clone with `git fsck`"
                    )
                yield None
                continue
            size = int(header[2])
            if size > _MAX_BLOB_BYTES:
                raise DataError(
                    f"{git_dir}: blob {blob} has {size:,} bytes; the limit is {_MAX_BLOB_BYTES:,}"
                )
            content = process.stdout.read(size + 1)[:-1]
            yield content
    finally:
        process.stdin.close()
        process.kill()
        process.stdout.close()
        process.wait()


def _git(git_dir: Path | None, *arguments: str) -> bytes:
    command = ["git", *([f"--git-dir={git_dir}"] if git_dir else []), *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise DataError(f"git {arguments[0]} failed: {last[0]}")
    return done.stdout
