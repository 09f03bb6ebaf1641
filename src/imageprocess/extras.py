"""Imports of optional packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MissingExtraError


@contextmanager
def require_extra(extra: str, needed: str | None = None) -> Iterator[None]:
    """Around imports that need `extra`. Raises MissingExtraError, which names the extra and what is missing: `needed`,
    or the package that could not be imported."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(needed or error.name or f"the extra {extra}", extra) from error
