"""A site on 127.0.0.1 for the extension's tests, with pages, images and a log of requests."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from types import TracebackType
from urllib.parse import unquote, urlsplit

from testkit.serving import QuietHandler, http_server

_TYPES = {
    "html": "text/html; charset=utf-8", "jpg": "image/jpeg", "png": "image/png", "webp": "image/webp",
    "svg": "image/svg+xml", "css": "text/css",
}  # fmt: skip


class Site:
    """`host`: its name in URLs; it listens on 127.0.0.1 only."""

    def __init__(self, host: str) -> None:
        self.files: dict[str, bytes] = {}  # path -> content
        self.headers: dict[str, str] = {}  # sent with every response
        self.requested_paths: list[str] = []
        site = self

        class Handler(QuietHandler, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                site.requested_paths.append(path)
                data = site.files.get(path)
                self.send_response(200 if data is not None else 404)
                self.send_header("Content-Type", _TYPES.get(path.rpartition(".")[2], "text/plain"))
                self.send_header("Content-Length", str(len(data or b"")))
                for name, value in site.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data or b"")

        self._server = http_server(Handler, host)

    def __enter__(self) -> Site:
        self.address = self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def page(self, body: str, head: str = "") -> str:
        """Serve a page at a new URL, which is returned."""
        path = f"/page-{sum(name.endswith('.html') for name in self.files)}.html"
        self.files[path] = f"<!doctype html><meta charset=utf-8>{head}<body>{body}".encode()
        return self.address + path

    def picture(self, path: str, data: bytes) -> str:
        self.files[path] = data
        return self.address + path
