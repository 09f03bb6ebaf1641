"""`imageprocess serve` and `python app.py` as processes."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from testkit.serving import free_port, started
from testkit.waiting import wait_until

SERVE = [sys.executable, "-m", "imageprocess", "serve"]


@pytest.mark.parametrize(
    ("command", "more"),
    [(SERVE, []), (SERVE, ["--workers", "2"]), ([sys.executable, "app.py"], [])],
    ids=["serve", "two workers", "app.py"],
)
def test_serves_on_host_and_port_from_environment(
    command: list[str], more: list[str], tiny_model_dir: Path
) -> None:
    port = free_port()
    with started(command + more, IMAGEPROCESS_MODEL=str(tiny_model_dir), PORT=str(port)) as (
        process,
        log_lines,
    ):
        assert process.poll() is None, log_lines
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        listening = _listening_addresses(port)
    assert listening == {"127.0.0.1"}
    assert process.returncode in (0, -signal.SIGTERM)


def test_port_in_use_is_reported_before_model_is_loaded() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        where = f"127.0.0.1:{other.getsockname()[1]}"
        for more in ([], ["--workers", "2"]):
            completed = subprocess.run(
                [*SERVE, "--port", where.partition(":")[2], *more], text=True, capture_output=True, timeout=60
            )
            assert completed.returncode == 2
            assert (
                completed.stderr
                == f"Error: {where} is in use by another program; choose another with --port\n"
            )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_terminal_shows_address(tiny_model_dir: Path, workers: str) -> None:
    port = str(free_port())
    master, slave = pty.openpty()
    environment = {**os.environ, "IMAGEPROCESS_MODEL": str(tiny_model_dir)}
    process = subprocess.Popen(
        [*SERVE, "--port", port, "--workers", workers], stderr=slave, stdout=slave, env=environment
    )
    os.close(slave)
    output = b""
    while b"Ctrl-C stops it" not in output and select.select([master], [], [], 60)[0]:
        output += os.read(master, 65536)
    wait_until(lambda: _listening_addresses(int(port)) == {"127.0.0.1"}, state=lambda: output)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) in (0, -signal.SIGTERM)
    os.close(master)
    assert f"ready: http://127.0.0.1:{port} has the pages" in output.decode()
    assert "server process" not in output.decode() and "uvicorn" not in output.decode().lower()


def _listening_addresses(port: int) -> set[str]:
    """Listening addresses from the kernel's table."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listen = "0A"
    sockets = [row[1].split(":") for row in rows if row[3] == listen]
    return {
        ".".join(str(part) for part in bytes.fromhex(address)[::-1])
        for address, p in sockets
        if int(p, 16) == port
    }


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"IMAGEPROCESS_MODEL": "/nowhere"}, "/nowhere: neither a shipped model"),
        ({"PORT": "http"}, "PORT in the environment"),
    ],
)
def test_start_error_is_one_line(environment: dict[str, str], text: str) -> None:
    completed = subprocess.run(
        SERVE, env={**os.environ, **environment}, text=True, capture_output=True, timeout=60
    )
    assert completed.returncode == 2
    assert text in completed.stderr and "Traceback" not in completed.stderr
    assert len(re.findall("\n", completed.stderr.strip())) == 0
