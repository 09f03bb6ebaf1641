"""Key files for tests."""

from __future__ import annotations

import hashlib


def line(name: str, key: str) -> str:
    return f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n"
