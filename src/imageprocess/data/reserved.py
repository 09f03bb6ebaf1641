"""Repositories that are reserved for independent evaluations of detectors and must not be sources.

reserved.sha256 holds the SHA-256 of each name ("owner/name" in lower case), one per line, so that they need not be
named here.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources


def is_reserved(repo: str) -> bool:
    """Whether "owner/name" is reserved; case and a trailing slash or ".git" are ignored."""
    name = repo.strip().lower().rstrip("/").removesuffix(".git")
    return hashlib.sha256(name.encode()).hexdigest() in _hashes()


@cache
def _hashes() -> frozenset[str]:
    return frozenset(resources.files(__package__).joinpath("reserved.sha256").read_text("ascii").split())
