"""The house's import order, read from the source: a room imports only rooms upstream of it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import imageprocess

PACKAGE = Path(imageprocess.__file__).parent
_BASE = {"types", "errors", "home"}
_STREET = {
    *_BASE,
    "sources",
    "decode",
    "provenance",
    "watermark",
    "model",
    "verdict",
    "report",
    "question",
    "detector",
}
# room -> the rooms that it may import
ALLOWED = {
    "types": {"report"},  # inside Result.to_dict alone
    "errors": set(),
    "home": set(),
    "sources": {*_BASE, "decode"},
    "decode": _BASE,
    "provenance": {*_BASE, "decode"},
    "watermark": {*_BASE, "decode", "provenance"},  # a hidden record is read as one beside the pixels is
    "model": {*_BASE, "decode"},
    "verdict": {*_BASE, "model"},
    "report": {*_BASE, "model", "verdict"},
    "question": {*_BASE, "model"},
    "detector": _STREET,
    "api": _STREET,
    "web": {*_BASE, "model", "provenance"},  # the trust list that its pages check signatures by
    "serve": {*_STREET, "web"},
    "batch": _STREET,
    "data": {*_BASE, "decode", "model"},
    "train": {*_BASE, "decode", "model", "data"},
    "evaluate": {*_STREET, "data", "train"},  # leave-one-out trains
    "cli": {*_STREET, "serve", "batch", "data", "train", "evaluate"},
}
# package -> the only room or module that may import it
CONFINED = {
    "torch": "train",
    "lightning": "train",
    # evaluate runs other people's models too; quantisation uses its quantiser
    "onnxruntime": ("model/session.py", "evaluate", "train/encoder/quantisation.py", "train/distil/graph.py"),
    "pi_heif": "decode/heic.py",
    "c2pa": "provenance",
    "simplejpeg": "decode/jpeg.py",
    "ray": "batch/on_ray.py",
    "fsspec": "sources/remote.py",
    "pyarrow": ("batch/parquet.py", "data"),
    "fastapi": "serve",
    "starlette": "serve",
    "matplotlib": ("train", "evaluate", "data", "report"),
    "sklearn": ("data", "evaluate", "train"),
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[0] != "_")


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Each imported module's full name and line; `from ..x import y` gives both x and x.y."""
    package = ("imageprocess", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module, node.lineno
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_upstream(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name, line in _imports(path):
        if name.startswith("imageprocess."):
            target = name.split(".")[1]
            if target != room and (PACKAGE / target).exists() | (PACKAGE / f"{target}.py").exists():
                assert target in ALLOWED[room], f"{path}:{line}: {room} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_optional_packages_stay_in_their_room(path: Path) -> None:
    where = path.relative_to(PACKAGE).as_posix()
    for name, line in _imports(path):
        rooms = CONFINED.get(name.split(".")[0])
        assert rooms is None or where.startswith(rooms), f"{path}:{line}: imports {name}"


def _loaded_by(code: str) -> set[str]:
    script = f"import sys; {code}; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_import_is_light() -> None:
    loaded = _loaded_by("import imageprocess; imageprocess.detect_many, imageprocess.__doc__") & {"numpy"}
    assert loaded == {"numpy"}  # the probe sees what is loaded
    loaded = _loaded_by("import imageprocess; dir(imageprocess)")
    assert not loaded & {"numpy", "onnxruntime", "PIL", "click", "rich", "fastapi", "torch"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["detect", "--help"], ["model", "list"]])
def test_the_command_line_starts_light(arguments: list[str]) -> None:
    code = f"from imageprocess.cli import main; main({arguments}, standalone_mode=False)"
    assert not _loaded_by(code) & {"numpy", "onnxruntime", "PIL", "rich", "fastapi", "torch"}
