"""Fixtures of the whole suite."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# Tests see the models that ship and no other, whatever this machine has got; those of the composed model ask for it.
CLIP_HOME = os.environ.get("IMAGEPROCESS_HOME")
os.environ["IMAGEPROCESS_HOME"] = str(Path(tempfile.gettempdir()) / "imageprocess-tests-without-home")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real files that lie beside the repository on some machines; they are never copied into it."""
    folder = ROOT.parent / "shared"
    if not (folder / "fixtures").is_dir():
        pytest.skip("needs ../shared/fixtures, which is not beside this clone")
    return folder


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model folder of known verdicts: bright pictures are AI's, dark ones real, mid-grey neither."""
    from tests.support.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def clip_home(monkeypatch: pytest.MonkeyPatch) -> Path:
    """IMAGEPROCESS_HOME of `make test`, where the composed model lies if it could be got."""
    from imageprocess.model import registry

    if CLIP_HOME is not None:
        monkeypatch.setenv("IMAGEPROCESS_HOME", CLIP_HOME)
    if CLIP_HOME is None or registry.installed("clip") is None:
        pytest.skip("the model clip is not here: IMAGEPROCESS_HOME=DIR imageprocess model get clip")
    return Path(CLIP_HOME)
