"""The service as a process of its own."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from testkit.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def started(command: list[str], **environment: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """-> the process, and the lines that it says: those until it was ready, and those that come."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, text=True, stderr=subprocess.PIPE
    )
    said: list[str] = []
    ready = threading.Event()

    def listen() -> None:  # all the time: a full pipe would stop the service
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if "startup complete" in line:
                ready.set()
        ready.set()

    listener = threading.Thread(target=listen)
    listener.start()
    ready.wait(60)
    _wait_until_it_listens(process, int(environment["PORT"]))
    try:
        yield process, said
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        listener.join(60)
        assert process.stderr is not None
        process.stderr.close()


def _wait_until_it_listens(process: subprocess.Popen[str], port: int) -> None:
    """It says that it is ready a moment before."""

    def is_listening_or_ended() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0 or process.poll() is not None

    wait_until(is_listening_or_ended, timeout_s=20, interval_s=0.02)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class _Files(SimpleHTTPRequestHandler):
    """A folder's files; /moved/NAME redirects to /NAME."""

    def do_GET(self) -> None:
        if self.path.startswith("/moved/"):
            self.send_response(301)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    """-> the address of a plain file server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
