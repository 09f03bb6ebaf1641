"""Inference on model folders; folders with wrong files are rejected."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from imageprocess.errors import ModelError
from imageprocess.model.registry import MODELS
from imageprocess.model.session import Session
from tests.support.tiny_model import GRID, SIZE, WEIGHT


def _plain(brightness: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), brightness, dtype=np.uint8)


def test_logits_and_heatmaps_in_order(tiny_model_dir: Path) -> None:
    outputs = Session(tiny_model_dir, threads=1).run([_plain(b) for b in (0, 255, 127)])
    gaps = [ai - real for ai, real in (output.logits for output in outputs)]
    assert gaps == pytest.approx([-WEIGHT, WEIGHT, WEIGHT * (127 / 127.5 - 1)], abs=1e-5)
    for output, gap in zip(outputs, gaps, strict=True):
        assert output.heatmap is not None and output.heatmap.shape == (GRID, GRID)
        assert output.heatmap.sum() == pytest.approx(gap, abs=1e-5)  # contributions add up to the logit


def test_batch_matches_single_inference(tiny_model_dir: Path) -> None:
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8) for _ in range(5)]
    session = Session(tiny_model_dir)
    together = [output.logits for output in session.run(pictures)]
    assert together == [pytest.approx(session.run([one])[0].logits, abs=1e-6) for one in pictures]
    assert session.run([]) == []


def test_images_with_several_views_stay_in_order() -> None:
    session = Session(MODELS / "student", threads=2)
    rng = np.random.default_rng(4)
    pictures = [
        session.prepare(rng.integers(0, high, (300, 400, 3), dtype=np.uint8)) for high in (20, 120, 255)
    ]
    together = [output.logits for output in session.run(pictures)]
    assert together == [pytest.approx(session.run([one])[0].logits, abs=1e-4) for one in pictures]
    assert len({round(ai, 3) for ai, _ in together}) == 3


def test_threads_share_a_session(tiny_model_dir: Path) -> None:
    session = Session(tiny_model_dir, threads=1)
    logits: dict[int, float] = {}

    def ask(brightness: int) -> None:
        for _ in range(20):
            logits[brightness] = session.run([_plain(brightness)])[0].logits[0]

    threads = [threading.Thread(target=ask, args=(b,)) for b in (0, 60, 120, 255)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(logits) == [0, 60, 120, 255]
    assert list(dict(sorted(logits.items())).values()) == sorted(logits.values())


@pytest.fixture
def copy(tiny_model_dir: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model_dir, tmp_path / "copy")


def test_graph_with_wrong_hash_is_rejected(copy: Path) -> None:
    graph = copy / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="sha256"):
        Session(copy)


def test_invalid_graph_is_rejected(copy: Path) -> None:
    import hashlib

    (copy / "model.onnx").write_bytes(b"not a graph")
    facts = json.loads((copy / "model.json").read_text())
    facts["files"]["model.onnx"] = hashlib.sha256(b"not a graph").hexdigest()
    (copy / "model.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match="cannot load"):
        Session(copy)


def test_missing_graph_is_reported(copy: Path) -> None:
    (copy / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"model\.onnx: cannot be read"):
        Session(copy)


def test_runtime_has_no_telemetry_and_no_cache(tiny_model_dir: Path, tmp_path: Path) -> None:
    """The telemetry of ONNX Runtime would start a thread and write a database in the user's folders."""
    script = (
        "import sys; from pathlib import Path; from imageprocess.model.session import Session;"
        "Session(Path(sys.argv[1]), threads=1); import onnxruntime; assert onnxruntime.__version__"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}  # without CI=1, which disables telemetry
    subprocess.run([sys.executable, "-c", script, str(tiny_model_dir)], env=environment | home, check=True)
    assert list(tmp_path.iterdir()) == []
