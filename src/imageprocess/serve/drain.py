"""SIGTERM -> a while in which new requests are still answered but /readyz says no, so that whoever sends requests here
can turn elsewhere; then no new connection is let in, those that are there are answered, and the server ends."""

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

_KNOCKING_S = 0.2  # for connections that were being made when the door was shut
# Closing a listening socket resets the connections that the kernel has made and nobody has accepted yet: requests
# lost. A filter that drops SYNs lets no new one be made while those are accepted; a client whose SYN was dropped
# tries again, and is refused when the socket is closed. Classic BPF: byte 13 of the TCP header, bit 2 -> drop.
_DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
_SO_ATTACH_FILTER = 26


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
        if is_draining:
            servers_own(number, frame)
            return
        is_draining = True
        begin()
        loop.call_soon_threadsafe(loop.call_later, drain_s, shut_the_door)

    def shut_the_door() -> None:
        _let_nobody_in()
        loop.call_later(_KNOCKING_S, servers_own, signal.SIGTERM, None)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, servers_own)


def _let_nobody_in() -> None:
    """On every socket that this process listens on. Does nothing where it is not known how."""
    if sys.platform != "linux":
        return
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_SYN)
    kept = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(_DROP_SYN), ctypes.addressof(kept))
    for entry in list(Path("/proc/self/fd").iterdir()):
        try:
            with socket.socket(fileno=os.dup(int(entry.name))) as duplicate:
                if duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    duplicate.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        except OSError:  # not a socket, or closed meanwhile
            continue
