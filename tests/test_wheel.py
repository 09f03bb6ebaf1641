"""The wheel of a clean clone contains the whole package, with private mode if npm is present."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import onnxruntime
import pytest

from testkit.pictures import encode, gradient
from testkit.serving import ROOT, free_port, started

RUNTIME = "imageprocess/web/assets/ort/ort-wasm-simd-threaded.wasm"
# npm error codes without a reachable registry, and offline (npm_config_offline) with an incomplete cache.
UNREACHABLE = (
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ENETUNREACH",
    "EHOSTUNREACH",
    "ETIMEDOUT",
    "ENOTCACHED",
)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files of the working tree."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git clone")
    folder = tmp_path_factory.mktemp("clone") / "imageprocess"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, os.fsdecode(tracked).split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def _wheel(clone: Path, out: Path, **environment: str) -> tuple[Path, str]:
    """Build the wheel; returns its path and the build output."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "-v",
        "-w",
        str(out),
        ".",
    ]
    done = subprocess.run(
        command, cwd=clone, capture_output=True, text=True, env={**os.environ, **environment}
    )
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("the build tools need a network")
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel, done.stdout + done.stderr


def test_wheel_without_npm_and_serve_names_missing_part(
    clone: Path, tmp_path: Path, tiny_model_dir: Path
) -> None:
    (tmp_path / "bin").mkdir()
    wheel, output = _wheel(clone, tmp_path, PATH=str(tmp_path / "bin"))
    assert "npm is missing: this installation's pages do without private mode" in output
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert {"imageprocess/py.typed", "imageprocess/verdict.json", "imageprocess/web/index.html"} <= set(
            names
        )
        assert RUNTIME not in names
        archive.extractall(installed)
    command = [sys.executable, "-c", "from imageprocess.cli import main; main(['serve'])"]
    environment = {
        "PYTHONPATH": str(installed), "PORT": str(free_port()), "IMAGEPROCESS_MODEL": str(tiny_model_dir),
        "XDG_DATA_HOME": str(tmp_path / "none"),
    }  # fmt: skip
    with started(command, **environment) as (process, told_by_serve):
        assert process.poll() is None, told_by_serve
    text = "".join(told_by_serve)
    assert "private mode is not in this installation" in text and "imageprocess trust update" in text


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_wheel_with_npm_has_private_mode(clone: Path, tmp_path: Path) -> None:
    wheel, output = _wheel(clone, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    if RUNTIME not in names:
        problem = next((line for line in output.splitlines() if "npm could not fetch" in line), output)
        if any(code in problem for code in UNREACHABLE):
            pytest.skip(f"no npm registry is reachable: {problem}")
        pytest.fail(problem)
    assert "imageprocess/web/assets/ort/runtime.json" in names
    assert not [name for name in names if "node_modules" in name]


def test_installed_wheel_detects(clone: Path, tmp_path: Path) -> None:
    """In a new venv that shares only the dependencies with this environment."""
    (tmp_path / "bin").mkdir()
    wheel, _ = _wheel(clone, tmp_path, PATH=str(tmp_path / "bin"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "imageprocess/models/cnn/model.onnx" in names
    assert not [name for name in names if name.endswith(".pth") or "/blobs/" in name]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    dependencies = Path(onnxruntime.__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{dependencies}\n")

    picture = tmp_path / "picture.png"
    picture.write_bytes(encode(gradient(), "PNG"))
    environment = {**os.environ, "IMAGEPROCESS_HOME": str(tmp_path / "home")}
    command = [python.parent / "imageprocess", "detect", picture, "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert (record["status"], record["model"]["name"]) == ("ok", "student")
    where = subprocess.run(
        [python, "-c", "import imageprocess; print(imageprocess.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(site)
