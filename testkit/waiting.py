"""Polling: wait for a condition instead of a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    *,
    timeout_s: float = 60.0,
    interval_s: float = 0.05,
    pause: Callable[[float], object] = time.sleep,
    state: Callable[[], object] | None = None,
) -> T:
    """The first true value of `condition`. Raises TimeoutError with `state()` after `timeout_s`.

    `pause` takes seconds; with Playwright it is `page.wait_for_timeout`, as events come only inside its calls.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            last = repr(value) if state is None else state()
            raise TimeoutError(f"condition not met within {timeout_s:g} s: {last}")
        pause(interval_s)
    return value
