"""Repositories that are kept for independent evaluations of detectors: never a source, neither to train nor to measure.

reserved.sha256 holds the SHA-256 of each name ("owner/name" in lower case), one a line: which ones they are need not be
known to keep clear of them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources


def is_reserved(repo: str) -> bool:
    """Whether "owner/name" is one of them; case, and a slash or ".git" at the end, do not matter."""
    name = repo.strip().lower().rstrip("/").removesuffix(".git")
    return hashlib.sha256(name.encode()).hexdigest() in _hashes()


@cache
def _hashes() -> frozenset[str]:
    return frozenset(resources.files(__package__).joinpath("reserved.sha256").read_text("ascii").split())
