"""Import order by static analysis: each package imports only those listed here, and every entry is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import imageprocess

PACKAGE = Path(imageprocess.__file__).parent
# Importable everywhere; they import only each other.
BASE = {"types", "errors", "home", "extras", "files"}
# package or module -> its imports besides BASE
IMPORTS = {
    "models": set(),  # only data
    "types": {"report"},  # only inside Result.to_dict
    "errors": set(),
    "home": set(),
    "extras": set(),
    "files": set(),
    "sources": {"decode"},
    "decode": set(),
    "provenance": {"decode"},
    "watermark": {"provenance"},  # a record in the pixels is parsed like one in the file
    "model": set(),
    "verdict": {"model"},
    "report": {"model"},
    "options": {"model"},
    "detector": {"decode", "model", "options", "provenance", "sources", "verdict", "watermark"},
    "api": {"detector", "model", "sources"},
    "web": {"model", "provenance"},  # the trust list, for signatures checked in the browser
    "serve": {"decode", "detector", "model", "provenance", "report", "sources", "verdict", "web"},
    "batch": {"decode", "detector", "model", "report", "sources"},
    "data": {"decode"},
    "train": {"data", "decode", "model"},
    "evaluate": {"data", "decode", "model", "train", "verdict"},  # leave-one-out trains
    "cli": {
        "batch", "data", "decode", "detector", "evaluate", "model", "provenance", "report", "serve", "sources",
        "train", "watermark",
    },
}  # fmt: skip
# optional or heavy package -> the only packages or modules that import it
CONFINED: dict[str, tuple[str, ...]] = {
    "torch": ("train/",),
    "lightning_fabric": ("train/",),
    # evaluate also runs third-party models; quantisation uses its quantiser
    "onnxruntime": (
        "model/session.py", "evaluate/scorers.py", "train/encoder/quantisation.py", "train/distil/graph.py",
    ),
    "pi_heif": ("decode/heic.py",),
    "c2pa": ("provenance/c2pa/library.py",),
    "simplejpeg": ("decode/jpeg.py",),
    "ray": ("batch/on_ray.py",),
    "fsspec": ("sources/remote.py",),
    "pyarrow": ("batch/parquet.py",),
    "fastapi": ("serve/",),
    "starlette": ("serve/",),
    "matplotlib": ("train/curves.py", "evaluate/plots.py"),
    "sklearn": ("data/", "evaluate/", "train/"),
}  # fmt: skip
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


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_import_order() -> None:
    imported: dict[str, set[str]] = {name: set() for name in IMPORTS}
    for path in MODULES:
        package = _name(path)
        targets = {name.split(".")[1] for name, _ in _imports(path) if name.startswith("imageprocess.")}
        own = {target for target in targets if target in IMPORTS and target != package}
        not_allowed = own - BASE - IMPORTS[package]
        assert not not_allowed, f"{path}: {package} must not import {not_allowed}"
        imported[package] |= own
    for package, allowed in IMPORTS.items():
        assert allowed <= imported[package], f"{package}: not needed: {allowed - imported[package]}"


def test_base_modules_import_only_themselves() -> None:
    assert all(IMPORTS[name] <= {"report"} for name in BASE)
    for path in MODULES:
        if _name(path) in BASE - {"types"}:
            targets = {name.split(".")[1] for name, _ in _imports(path) if name.startswith("imageprocess.")}
            assert targets & IMPORTS.keys() <= BASE, path


def test_every_package_is_in_import_order() -> None:
    assert {_name(path) for path in MODULES} <= IMPORTS.keys()


def test_optional_packages_are_imported_in_one_module() -> None:
    places: dict[str, set[str]] = {name: set() for name in CONFINED}
    for path in MODULES:
        where = path.relative_to(PACKAGE).as_posix()
        for name, line in _imports(path):
            allowed = CONFINED.get(name.split(".")[0])
            if allowed is not None:
                assert where.startswith(allowed), f"{path}:{line}: imports {name}"
                places[name.split(".")[0]].add(where)
    for name, allowed in CONFINED.items():
        for place in allowed:
            assert any(where.startswith(place) for where in places[name]), f"{name}: not imported in {place}"


def _loaded_by(code: str) -> set[str]:
    script = f"import sys; {code}; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_import_loads_nothing_heavy() -> None:
    loaded = _loaded_by("import imageprocess; imageprocess.detect_many, imageprocess.__doc__") & {"numpy"}
    assert loaded == {"numpy"}  # verifies that the probe works
    loaded = _loaded_by("import imageprocess; dir(imageprocess)")
    assert not loaded & {"numpy", "onnxruntime", "PIL", "click", "rich", "fastapi", "torch"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["detect", "--help"], ["model", "list"]])
def test_command_line_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"from imageprocess.cli import main; main({arguments}, standalone_mode=False)"
    assert not _loaded_by(code) & {"numpy", "onnxruntime", "PIL", "rich", "fastapi", "torch"}
