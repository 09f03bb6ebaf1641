"""The npm packages of private mode, installed by npm from a local registry that fails at first."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from imageprocess.web import runtime
from testkit.serving import QuietHandler, http_server

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
PACKAGE, FILES = runtime.PARTS["ort"]


def _tarball() -> bytes:
    """An npm package with the files that are copied from it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        files = {"package.json": json.dumps({"name": PACKAGE, "version": "9.9.9"}).encode()}
        files |= {name: name.encode() for name in FILES}
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


class Registry:
    """Responds to the first `failures` requests with 404. npm gives up after two, as it requests in two forms."""

    def __init__(self, failures: int) -> None:
        self.request_count = 0
        self.tarball = _tarball()
        self.integrity = f"sha512-{base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()}"
        registry = self

        class Handler(QuietHandler, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.request_count += 1
                fails = registry.request_count <= failures
                data = b"{}" if fails else registry.answer(self.path)
                self.send_response(404 if fails else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.handler = Handler
        self.address = ""

    def answer(self, path: str) -> bytes:
        if path.endswith(".tgz"):
            return self.tarball
        dist = {"tarball": f"{self.address}{PACKAGE}.tgz", "integrity": self.integrity}
        version = {"name": PACKAGE, "version": "9.9.9", "dist": dist}
        package = {"name": PACKAGE, "dist-tags": {"latest": "9.9.9"}, "versions": {"9.9.9": version}}
        return json.dumps(package).encode()

    def project(self, folder: Path) -> Path:
        """package.json and its lock file with the one package."""
        folder.mkdir()
        wants = {"name": "x", "dependencies": {PACKAGE: "9.9.9"}}
        locked = {"version": "9.9.9", "integrity": self.integrity}
        packages = {"": wants, f"node_modules/{PACKAGE}": locked}
        lock = {"name": "x", "lockfileVersion": 3, "requires": True, "packages": packages}
        (folder / "package.json").write_text(json.dumps(wants), encoding="utf-8")
        (folder / "package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
        return folder


@pytest.fixture
def registry(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Registry]:
    """npm uses this registry and an empty cache."""
    registry = Registry(request.param)
    monkeypatch.setattr(runtime, "PARTS", {"ort": (PACKAGE, FILES)})
    with http_server(registry.handler) as address:
        registry.address = f"{address}/"
        monkeypatch.setenv("npm_config_registry", registry.address)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        yield registry


@pytest.mark.parametrize("registry", [2], indirect=True)
def test_failed_download_is_retried_once(registry: Registry, tmp_path: Path) -> None:
    assert runtime.build(registry.project(tmp_path / "project"), tmp_path / "assets") is None
    assert json.loads((tmp_path / "assets/ort/runtime.json").read_text(encoding="utf-8")) == {
        "version": "9.9.9"
    }
    names = {path.name for path in (tmp_path / "assets/ort").iterdir()}
    assert names == {*(Path(name).name for name in FILES), "runtime.json"}
    # Downloaded packages are not requested again.
    requests = registry.request_count
    assert runtime.build(tmp_path / "project", tmp_path / "again") is None
    assert registry.request_count == requests


@pytest.mark.parametrize("registry", [1000], indirect=True)
def test_npm_error_is_in_the_message(registry: Registry, tmp_path: Path) -> None:
    problem = runtime.build(registry.project(tmp_path / "project"), tmp_path / "assets")
    assert problem is not None and problem.startswith(
        "npm could not fetch the runtime (code E404; 404 Not Found"
    )
    assert PACKAGE in problem and ".log" not in problem and "\n" not in problem
    assert not (tmp_path / "assets").exists()
