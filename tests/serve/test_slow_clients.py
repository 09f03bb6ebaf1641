"""Slow and endless requests: timeouts, header limits and the memory limit of bodies."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from testkit.loading import form
from testkit.pictures import encode, plain
from testkit.service import running
from testkit.waiting import wait_until

PICTURE = encode(plain(250), "PNG")
START = b"POST /v1/detect HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def address(tiny_model_dir: Path) -> Iterator[str]:
    with running(tiny_model_dir, header_timeout_s=0.7, body_timeout_s=0.7, max_held_bytes=2_000_000) as at:
        yield at


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def trickle(sock: socket.socket, data: bytes, every_s: float = 0.1) -> float:
    """Send byte by byte; returns the seconds until the server responds or closes."""
    began = time.monotonic()
    sock.settimeout(every_s)
    for i in range(200):
        try:
            sock.sendall(data[i % len(data) :][:1])
            if sock.recv(1, socket.MSG_PEEK) is not None:
                break
        except TimeoutError:
            continue
        except OSError:  # a reset also ends the connection
            break
    sock.settimeout(20)
    return time.monotonic() - began


def read_all(sock: socket.socket) -> bytes:
    received = b""
    try:
        while part := sock.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(("beginning", "more"), [(b"", b"\r\n"), (START, b"a"), (START + b"X-A: ", b"a")])
def test_header_timeout(address: str, beginning: bytes, more: bytes) -> None:
    with connect(address) as sock:
        sock.sendall(beginning)
        assert 0.4 < trickle(sock, more) < 5
        assert read_all(sock) == b""


def test_header_timeout_on_keep_alive(address: str) -> None:
    with connect(address) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while b"alive" not in answer:  # header and body may arrive separately
            answer += sock.recv(65536)
        sock.sendall(START)
        assert 0.4 < trickle(sock, b"a") < 5


def test_body_timeout(address: str) -> None:
    request = form(PICTURE)
    with connect(address) as sock:
        sock.sendall(request[:-100])
        assert 0.4 < trickle(sock, request[-100:]) < 5
        head, _, body = read_all(sock).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ") and json.loads(body)["code"] == "too_slow"
    assert b"content-security-policy" in head.lower()


def test_slow_clients_do_not_block_others(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(address)).sendall(START + b"X-A: ")
        began = time.monotonic()
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert httpx.post(f"{address}/v1/detect", files={"file": PICTURE}).status_code == 200
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01 this is no HTTP\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_invalid_http_returns_problem_json(address: str, sent: bytes) -> None:
    with connect(address) as sock:
        sock.sendall(sent)
        head, _, body = read_all(sock).partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 400 ") and problem["code"] == "malformed"
    assert b"application/problem+json" in head and b"Content-Security-Policy" in head
    assert f"X-Request-ID: {problem['request_id']}".encode() in head


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
@pytest.mark.parametrize("size", [70_000, 200_000])
def test_header_size_limit(address: str, size: int, end: bytes) -> None:
    with connect(address) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * size + end)
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")


def test_headers_up_to_limit_are_accepted(address: str) -> None:
    for more, status in [(0, b"200"), (1, b"400")]:
        head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: "
        with connect(address) as sock:
            sock.sendall(head.ljust(65_536 - 4 + more, b"a") + b"\r\n\r\n")
            assert read_all(sock).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("size", [100_000, 1_500_000])  # one read or several
def test_pipelined_header_after_body_is_accepted(address: str, size: int) -> None:
    """The body does not count towards the header limit of the next request."""
    following = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with connect(address) as sock:
        sock.sendall(form(bytes(size)) + following[:20])
        received = sock.recv(65536)  # the first answer: the server has read the beginning of the next head
        sock.sendall(following[20:])
        received += read_all(sock)
    assert received.count(b"HTTP/1.1 200 ") == 2 and received.endswith(b'{"status":"alive"}')


def test_memory_limit_over_all_bodies(address: str) -> None:
    started = form(bytes(1_500_000))
    with connect(address) as sock:
        sock.sendall(started[:-10])

        def refusal() -> httpx.Response | None:
            """Once the server has read the first body."""
            answer = httpx.post(f"{address}/v1/detect", files={"file": bytes(1_000_000)})
            return answer if answer.status_code == 503 else None

        answer = wait_until(refusal, timeout_s=0.6, interval_s=0.01)  # before the body's time is over
        assert answer is not None and answer.json()["code"] == "busy"
        assert "Retry-After" in answer.headers
        read_all(sock)
    assert httpx.post(f"{address}/v1/detect", files={"file": bytes(1_000_000)}).status_code == 200


def test_body_memory_is_released_after_errors_and_disconnects(address: str) -> None:
    for _ in range(6):  # together more than may be held
        assert httpx.post(f"{address}/v1/detect", files={"file": bytes(900_000)}).status_code == 200
        bad = httpx.post(
            f"{address}/predict", content=b"x" * 900_000, headers={"Content-Type": "application/json"}
        )
        assert bad.status_code == 400
        with connect(address) as sock:  # disconnects in the middle of the body
            sock.sendall(form(bytes(900_000))[:-100_000])
    assert httpx.post(f"{address}/v1/detect", files={"file": bytes(1_900_000)}).status_code == 200
