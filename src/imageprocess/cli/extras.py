"""Imports of optional packages inside a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingExtraError


@contextmanager
def require_extra(extra: str) -> Iterator[None]:
    """Around imports that need `extra`. Raises MissingExtraError, which names the missing package and the extra."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(error.name or f"the extra {extra}", extra) from error
