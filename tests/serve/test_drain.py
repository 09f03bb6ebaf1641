"""SIGTERM: accepted requests are completed and readiness ends first. Runs the command as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from testkit.pictures import encode, plain
from testkit.serving import child_pids, free_port, started
from testkit.waiting import wait_until

SERVE = [sys.executable, "-m", "imageprocess", "serve"]
BRIGHT = encode(plain(250), "PNG")
SLOW = encode(Image.new("L", (6000, 6000), 250), "WEBP", lossless=True, quality=0, method=0)


@contextmanager
def serving(model: Path, *more: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    environment = {"IMAGEPROCESS_MODEL": str(model), "PORT": str(port), **settings}
    with started(SERVE + list(more), **environment) as (process, _):
        yield process, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["one process", "two"])
def test_accepted_requests_are_completed_on_sigterm(tiny_model_dir: Path, more: tuple[str, ...]) -> None:
    """New connections during shutdown are either answered or refused."""
    outcomes: Counter[str] = Counter()
    stop = threading.Event()

    def send_requests() -> None:
        while not stop.is_set():
            try:
                outcomes[str(httpx.post(url, files={"file": BRIGHT}, timeout=30).status_code)] += 1
            except httpx.ConnectError:
                outcomes["refused"] += 1
                return
            except httpx.HTTPError as error:
                outcomes[repr(error)] += 1

    with serving(tiny_model_dir, *more) as (process, address):
        url = f"{address}/v1/detect"
        clients = [threading.Thread(target=send_requests) for _ in range(8)]
        slow: list[int] = []
        for client in clients:
            client.start()
        wait_until(lambda: outcomes["200"] > 5, state=lambda: outcomes)
        last = threading.Thread(
            target=lambda: slow.append(httpx.post(url, files={"file": SLOW}, timeout=60).status_code)
        )
        last.start()
        # Later requests were answered, so the slow one has been accepted.
        accepted = outcomes["200"] + 3 * len(clients)
        wait_until(lambda: outcomes["200"] > accepted, state=lambda: outcomes)
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(30)
        stop.set()
        last.join(60)
        process.wait(30)
    assert outcomes.pop("200") > 5 and outcomes.pop("refused") == len(clients)
    assert not outcomes, outcomes
    assert slow == [200]


def test_readyz_fails_first_on_sigterm(tiny_model_dir: Path) -> None:
    with serving(tiny_model_dir, IMAGEPROCESS_DRAIN_S="2") as (process, address):
        assert httpx.get(f"{address}/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        refused = wait_until(lambda: _error_response(f"{address}/readyz"), interval_s=0.02)
        assert refused is not None
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        answer = httpx.post(f"{address}/v1/detect", files={"file": BRIGHT})
        assert answer.status_code == 200 and answer.headers["Connection"] == "close"
        assert process.wait(20) in (0, -signal.SIGTERM)


def _error_response(url: str) -> httpx.Response | None:
    response = httpx.get(url)
    return None if response.status_code == 200 else response


def test_workers_end_when_service_is_killed(tiny_model_dir: Path) -> None:
    with serving(tiny_model_dir, IMAGEPROCESS_JOBS="2") as (process, _):
        workers = set(child_pids(process.pid))
        assert len(workers) == 2
        process.kill()
        process.wait()
        wait_until(lambda: all(not Path(f"/proc/{pid}").exists() or _is_zombie(pid) for pid in workers))


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_metrics_are_shared_by_processes(tiny_model_dir: Path) -> None:
    port = free_port()
    environment = {"IMAGEPROCESS_MODEL": str(tiny_model_dir), "PORT": str(port)}
    with started([*SERVE, "--workers", "2"], **environment):
        address = f"http://127.0.0.1:{port}"
        for _ in range(12):
            assert httpx.post(f"{address}/v1/detect", files={"file": BRIGHT}).status_code == 200
        for _ in range(4):
            assert (
                'verdicts_total{decided_by="model",label="ai"} 12.0' in httpx.get(f"{address}/metrics").text
            )


def request_line(log_lines: list[str]) -> str:
    return wait_until(
        lambda: next((line for line in log_lines if '"event": "request"' in line), ""),
        state=lambda: log_lines,
    )


def test_request_log_has_no_personal_data(tiny_model_dir: Path) -> None:
    port = free_port()
    environment = {"IMAGEPROCESS_MODEL": str(tiny_model_dir), "PORT": str(port)}
    with started(SERVE, **environment) as (_, log_lines):
        files = [("file", ("my-secret-name.png", BRIGHT)), ("file", ("other.txt", b"text"))]
        headers = {"X-Request-ID": "mine-1", "User-Agent": "secret-agent"}
        httpx.post(f"http://127.0.0.1:{port}/v1/detect?mode=best-guess", files=files, headers=headers)
        line = request_line(log_lines)
        data = json.loads(line)
        assert "secret" not in line and "127.0.0.1" not in line
        assert data.pop("time") and data.pop("ms") > 0 and data.pop("bytes") > len(BRIGHT)
        assert data == {
            "level": "info",
            "event": "request",
            "request_id": "mine-1",
            "method": "POST",
            "route": "/v1/detect",
            "status": 200,
            "results": {"ai": 1, "unsupported_format": 1},
        }
    port = free_port()
    environment |= {"PORT": str(port), "IMAGEPROCESS_LOG_NAMES": "1"}
    with started(SERVE, **environment) as (_, log_lines):
        httpx.post(f"http://127.0.0.1:{port}/v1/detect", files=files)
        assert json.loads(request_line(log_lines))["names"] == ["my-secret-name.png", "other.txt"]
