"""Servers for tests and measurements: `imageprocess serve` as a process, and small HTTP servers in this process."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from imageprocess.serve.gate import SECURITY_HEADERS
from testkit.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def started(command: list[str], **environment: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Yields the process and its lines on stderr, a list that grows while the process runs."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, text=True, stderr=subprocess.PIPE
    )
    log_lines: list[str] = []
    ready = threading.Event()

    def listen() -> None:  # to the end: a full pipe would block the service
        assert process.stderr is not None
        for line in process.stderr:
            log_lines.append(line)
            if "startup complete" in line:
                ready.set()
        ready.set()

    listener = threading.Thread(target=listen)
    listener.start()
    ready.wait(60)
    _wait_until_it_listens(process, int(environment["PORT"]))
    try:
        yield process, log_lines
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        listener.join(60)
        assert process.stderr is not None
        process.stderr.close()


def _wait_until_it_listens(process: subprocess.Popen[str], port: int) -> None:
    """uvicorn logs that it is ready a moment before it listens."""

    def is_listening_or_ended() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0 or process.poll() is not None

    wait_until(is_listening_or_ended, timeout_s=20, interval_s=0.02)


def child_pids(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class QuietHandler(BaseHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # the client left in the middle of an answer
            self.close_connection = True


class _Files(QuietHandler, SimpleHTTPRequestHandler):
    """A folder's files; /moved/NAME redirects to /NAME."""

    def do_GET(self) -> None:
        if self.path.startswith("/moved/"):
            self.send_response(301)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
        else:
            super().do_GET()


class _IsolatedFiles(_Files):
    """The same with the headers of cross-origin isolation, so that pages have WebAssembly threads."""

    def end_headers(self) -> None:
        for name in ("Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy"):
            self.send_header(name, SECURITY_HEADERS[name])
        super().end_headers()


@contextmanager
def http_server(handler: Callable[..., BaseHTTPRequestHandler], host: str = "127.0.0.1") -> Iterator[str]:
    """Yields the address of a server of this handler; `host` is its name in the address, it listens on 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving_files(folder: Path, *, isolated: bool = False) -> Iterator[str]:
    """Yields the address of a plain file server. `isolated`: its pages are cross-origin isolated."""
    handler = _IsolatedFiles if isolated else _Files
    with http_server(functools.partial(handler, directory=str(folder))) as address:
        yield address
