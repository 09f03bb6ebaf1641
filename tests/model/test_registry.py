"""Shipped models and model folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from imageprocess.detector import Detector
from imageprocess.errors import ModelError
from imageprocess.model import registry
from imageprocess.model.session import Session
from imageprocess.types import Source
from testkit.pictures import encode, gradient


@pytest.fixture
def copy(tiny_model_dir: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model_dir, tmp_path / "copy")


def test_resolve_model_by_path(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.resolve(copy) == copy
    assert registry.resolve(str(copy)) == copy
    monkeypatch.chdir(copy.parent)
    assert registry.resolve("copy") == Path("copy")


def test_resolve_model_by_name(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MODELS", copy.parent)
    monkeypatch.setattr(registry, "DEFAULT_MODEL", "copy")
    assert registry.shipped() == [copy]
    assert registry.resolve("copy") == registry.resolve() == copy


@pytest.mark.parametrize("name", ["no-such-model", "..", "/", "", "../models"])
def test_unknown_model_is_reported(name: str) -> None:
    with pytest.raises(ModelError, match="neither a shipped model"):
        registry.resolve(name)


def test_verify_checks_hashes(copy: Path) -> None:
    assert registry.verify(copy).name == "tiny"
    (copy / "CARD.md").write_text("better figures")
    with pytest.raises(ModelError, match=r"CARD\.md: sha256"):
        registry.verify(copy)
    (copy / "CARD.md").unlink()
    with pytest.raises(ModelError, match=r"CARD\.md: cannot be read"):
        registry.verify(copy)


def test_file_outside_model_folder_is_rejected(copy: Path) -> None:
    text = (copy / "model.json").read_text().replace('"CARD.md"', '"../CARD.md"')
    (copy / "model.json").write_text(text)
    with pytest.raises(ModelError, match="outside its folder"):
        registry.verify(copy)


@pytest.mark.parametrize("folder", registry.shipped(), ids=lambda folder: folder.name)
def test_every_shipped_model_verifies(folder: Path) -> None:
    spec = registry.verify(folder)
    assert spec.name == folder.name
    assert (folder / "CARD.md").is_file()
    assert set(spec.facts["outputs"]) == {output.name for output in Session(folder)._runtime.get_outputs()}
    result = Detector(folder).detect(
        Source("x", encode(gradient(), "PNG")), only=["model"], heatmap=spec.has_heatmap
    )
    assert result.verdict is not None and result.verdict.probability_ai is not None
    assert (result.heatmap is not None) == spec.has_heatmap


def test_training_weights_may_be_absent_but_not_changed(copy: Path) -> None:
    facts = json.loads((copy / "model.json").read_text())
    (copy / "tiny_model.pth").write_bytes(b"weights")
    facts["files"]["tiny_model.pth"] = registry.file_sha256(copy / "tiny_model.pth")
    (copy / "model.json").write_text(json.dumps(facts))
    registry.verify(copy)
    (copy / "tiny_model.pth").write_bytes(b"others")
    with pytest.raises(ModelError, match=r"tiny_model\.pth: sha256"):
        registry.verify(copy)
    (copy / "tiny_model.pth").unlink()
    registry.verify(copy)
