"""The service as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def started(command: list[str], **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """-> the process, and all it said until it was ready."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, text=True, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if "startup complete" in line:
            break
    try:
        yield process, said
    finally:
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        process.stderr.close()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
