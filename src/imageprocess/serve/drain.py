"""SIGTERM -> a while in which new requests are still answered but /readyz says no, so that whoever sends requests here
can turn elsewhere; then the server stops taking them, finishes those it has, and ends."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def draining_on_sigterm(drain_s: float, begin: Callable[[], None]) -> Iterator[None]:
    """Within it SIGTERM calls `begin`, and the server's own handler `drain_s` later; a second one, at once."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's alone
        yield
        return
    loop = asyncio.get_running_loop()
    servers_own: Any = signal.getsignal(signal.SIGTERM)
    if not callable(servers_own):  # nobody would end the process then
        yield
        return
    is_draining = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal is_draining
        if is_draining or not drain_s:
            servers_own(number, frame)
            return
        is_draining = True
        begin()
        loop.call_soon_threadsafe(loop.call_later, drain_s, servers_own, number, None)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, servers_own)
