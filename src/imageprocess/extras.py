"""Imports of optional packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MissingExtraError


@contextmanager
def require_extra(extra: str, package: str | None = None) -> Iterator[None]:
    """Context for imports that need the optional dependencies `extra`. Raises MissingExtraError, which names the extra
    and the missing package: `package`, or the one that could not be imported."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(package or error.name or f"the extra {extra}", extra) from error
