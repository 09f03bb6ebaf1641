"""Fixtures for all tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# Tests see only the shipped models, whatever is installed; tests of the composed model use the fixture clip_home.
CLIP_HOME = os.environ.get("IMAGEPROCESS_HOME")
os.environ["IMAGEPROCESS_HOME"] = str(Path(tempfile.gettempdir()) / "imageprocess-tests-without-home")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real files beside the repository, present on some machines; never copied into it."""
    folder = ROOT.parent / "shared"
    if not (folder / "fixtures").is_dir():
        pytest.skip("needs ../shared/fixtures")
    return folder


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with known verdicts: bright images are AI, dark ones real, mid-grey unsure."""
    from tests.support.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def clip_home(monkeypatch: pytest.MonkeyPatch) -> Path:
    """IMAGEPROCESS_HOME of `make test`, with the composed model if it is installed."""
    from imageprocess.model import registry

    if CLIP_HOME is not None:
        monkeypatch.setenv("IMAGEPROCESS_HOME", CLIP_HOME)
    if CLIP_HOME is None or registry.installed("clip") is None:
        pytest.skip("needs the model clip: IMAGEPROCESS_HOME=DIR imageprocess model get clip")
    return Path(CLIP_HOME)
