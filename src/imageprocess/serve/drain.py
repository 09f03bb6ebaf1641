"""Graceful shutdown on SIGTERM: for a while, new requests are still answered but /readyz fails, so that load balancers
stop sending requests; then new connections are refused, open ones are answered, and the server ends."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

_BACKLOG_S = 0.2  # time to accept connections that were being established when new ones were blocked
# Closing a listening socket resets connections that the kernel has established but the server has not accepted, which
# loses requests. A filter that drops SYNs blocks new connections while those are accepted; a client whose SYN was
# dropped retries, and is refused once the socket is closed. Classic BPF: byte 13 of the TCP header, bit 2 -> drop.
_DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
_SO_ATTACH_FILTER = 26


@contextmanager
def draining_on_sigterm(drain_s: float, begin: Callable[[], None]) -> Iterator[None]:
    """In this context, SIGTERM calls `begin`, and the server's own handler `drain_s` seconds later; a second SIGTERM
    calls the latter at once."""
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # only the main thread may set signal handlers
        yield
        return
    loop = asyncio.get_running_loop()
    server_handler: Any = signal.getsignal(signal.SIGTERM)
    if not callable(server_handler):  # without it, the process would not end
        yield
        return
    is_draining = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal is_draining
        if is_draining:
            server_handler(number, frame)
            return
        is_draining = True
        begin()
        loop.call_soon_threadsafe(loop.call_later, drain_s, refuse_new_connections)

    def refuse_new_connections() -> None:
        _drop_new_connections()
        loop.call_later(_BACKLOG_S, server_handler, signal.SIGTERM, None)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, server_handler)


def _drop_new_connections() -> None:
    """Attach the filter to every listening socket of this process. Linux only; does nothing elsewhere."""
    if sys.platform != "linux":
        return
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_SYN)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(_DROP_SYN), ctypes.addressof(buffer))
    for entry in list(Path("/proc/self/fd").iterdir()):
        try:
            with socket.socket(fileno=os.dup(int(entry.name))) as duplicate:
                if duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    duplicate.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        except OSError:  # not a socket, or closed meanwhile
            continue
