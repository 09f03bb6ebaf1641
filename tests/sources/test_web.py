"""Images from URLs: limits, redirects, and public addresses only by default."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

import imageprocess
from imageprocess import sources
from imageprocess.errors import InputError, InputNotFoundError, InputTimeoutError, TooLargeError
from imageprocess.sources.web import _is_public
from imageprocess.types import Source
from testkit.pictures import encode, gradient
from testkit.serving import QuietHandler, http_server

PICTURE = encode(gradient(), "PNG")


class _Site(QuietHandler, BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        if name.startswith("/hop"):
            left = int(name[4:])
            self.send_response(302)
            self.send_header("Location", f"/hop{left - 1}" if left else "/a.png")
            self.end_headers()
            return
        if name == "/elsewhere":
            self.send_response(307)
            self.send_header("Location", "ftp://127.0.0.1/a.png")
            self.end_headers()
            return
        if name == "/gone":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if name == "/page" else "image/png")
        if name == "/trickling-head":
            self.flush_headers()
            self._trickle(b"X-A: b\r\n")
            return
        if name not in ("/endless", "/trickling"):
            self.send_header("Content-Length", str(len(PICTURE) + (name == "/short")))
        self.end_headers()
        if name == "/trickling":
            self._trickle(b"x")
        for _ in range(1000 if name == "/endless" else 1):
            self.wfile.write(PICTURE)

    def _trickle(self, piece: bytes) -> None:
        for _ in range(100):
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(0.05)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client disconnected
            self.close_connection = True


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with http_server(_Site) as address:
        yield address


def test_fetch_names_source_by_url(site: str) -> None:
    for path in ("/a.png", "/a b/ü.png?x=ü", "/a%20b.png"):
        assert sources.fetch(site + path, allow_private=True) == Source(site + path, PICTURE)


def test_redirects_are_followed_and_reported(site: str) -> None:
    steps: list[tuple[str, str]] = []
    source = sources.fetch(f"{site}/hop1", allow_private=True, on_redirect=lambda *step: steps.append(step))
    assert source == Source(f"{site}/hop1", PICTURE)
    assert steps == [(f"{site}/hop1", f"{site}/hop0"), (f"{site}/hop0", f"{site}/a.png")]


@pytest.mark.parametrize(
    ("path", "caps", "error", "message"),
    [
        ("/hop9", {}, InputNotFoundError, "more than 5 redirects"),
        ("/elsewhere", {}, InputNotFoundError, "only http and https"),
        ("/gone", {}, InputNotFoundError, "the server answers 404"),
        ("/page", {}, InputNotFoundError, "a web page, not a picture"),
        ("/short", {}, InputNotFoundError, "ended 1 bytes early"),
        ("/a.png", {"max_bytes": 10}, TooLargeError, "the limit is 10"),
        ("/endless", {"max_bytes": 2 * len(PICTURE)}, TooLargeError, "more than the limit"),
        ("/trickling", {"timeout_s": 0.5}, InputTimeoutError, "took longer than 0.5 s"),
        ("/trickling-head", {"timeout_s": 0.5}, InputTimeoutError, "took longer than 0.5 s"),
    ],
)
def test_fetch_errors_are_reported(
    site: str, path: str, caps: dict[str, float], error: type[InputError], message: str
) -> None:
    began = time.monotonic()
    with pytest.raises(error, match=message) as caught:
        sources.fetch(site + path, allow_private=True, **caps)  # type: ignore[arg-type]
    assert time.monotonic() - began < 4
    assert "://127.0.0.1" in str(caught.value)


def test_private_addresses_are_rejected_by_default(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = site.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::1]", "2130706433", "0"):
        with pytest.raises(InputNotFoundError, match=r"not a public address|no machine"):
            sources.fetch(f"http://{host}:{port}/a.png")
    both = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(InputNotFoundError, match=r"leads to 10\.0\.0\.1"):
        sources.fetch("http://a.example/a.png")


@pytest.mark.parametrize(
    ("ip", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
        ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("255.255.255.255", False),
    ],
)  # fmt: skip
def test_public_address_ranges(ip: str, public: bool) -> None:
    assert _is_public(ip) is public


def test_unknown_host_and_credentials_in_url_are_rejected() -> None:
    with pytest.raises(InputNotFoundError, match="no machine called"):
        sources.fetch("http://nowhere.invalid/a.png")
    with pytest.raises(InputNotFoundError, match="user name"):
        sources.fetch("http://me:secret@127.0.0.1/a.png", allow_private=True)


def test_detect_url_from_python(site: str, tiny_model_dir: object) -> None:
    with pytest.raises(InputNotFoundError, match="not a public address"):
        imageprocess.detect(f"{site}/a.png", model=str(tiny_model_dir))
    source = imageprocess.fetch(f"{site}/a.png", allow_private=True)
    assert imageprocess.detect(source, model=str(tiny_model_dir)).source == f"{site}/a.png"
    first, second = imageprocess.detect_many([f"{site}/a.png", PICTURE], model=str(tiny_model_dir))
    assert first.error is not None and first.error.code == "not_found" and second.error is None
