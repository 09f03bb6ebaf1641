"""Scores of third-party ONNX classifiers described by a small model.json."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from imageprocess.errors import ModelError
from imageprocess.evaluate.scorers import open_scorer

WHITE = np.full((40, 60, 3), 255, np.uint8)
BLACK = np.zeros((40, 60, 3), np.uint8)


def write_peer(folder: Path, classes: int, **facts: object) -> Path:
    """A peer model whose last output is the mean brightness (0 to 1), the others 0; 8 x 8 input `images`."""
    weight = np.zeros((3, classes), np.float32)
    weight[:, -1] = 1 / 3
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["means"]),
            helper.make_node("MatMul", ["means", "weight"], ["out"]),
        ],
        "peer",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "peer.onnx")
    description = {
        "name": "peer",
        "onnx": "peer.onnx",
        "input": {"width": 8, "height": 8, "mean": [0] * 3, "std": [1] * 3},
    }
    (folder / "model.json").write_text(json.dumps({**description, **facts}), encoding="utf-8")
    return folder


def test_softmax_of_configured_class(tmp_path):
    scorer = open_scorer(write_peer(tmp_path, 2, ai_index=1))
    white, black = scorer.score([WHITE, BLACK])
    assert white == pytest.approx(math.e / (1 + math.e), abs=1e-6) and black == pytest.approx(0.5)
    flipped = open_scorer(write_peer(tmp_path, 2, ai_index=0))
    assert flipped.score([WHITE])[0] == pytest.approx(1 - white)


def test_single_output_is_logit_or_probability(tmp_path):
    assert open_scorer(write_peer(tmp_path, 1, activation="sigmoid")).score([WHITE])[0] == pytest.approx(
        1 / (1 + math.exp(-1)), abs=1e-6
    )
    assert open_scorer(write_peer(tmp_path, 1, activation="none")).score([WHITE]) == pytest.approx(
        [1.0], abs=1e-6
    )


def test_crop_uses_centre_and_squash_uses_whole_image(tmp_path):
    sides = np.zeros((20, 60, 3), np.uint8)
    sides[:, 20:40] = 255  # white centre, black sides
    crop = open_scorer(write_peer(tmp_path, 1, activation="none", layout="crop")).score([sides])[0]
    squash = open_scorer(write_peer(tmp_path, 1, activation="none")).score([sides])[0]
    assert crop > 0.95 and squash == pytest.approx(1 / 3, abs=0.02)


def test_peer_model_facts(tmp_path):
    facts = open_scorer(write_peer(tmp_path, 2, threshold=0.3)).facts
    assert facts.name == "peer" and facts.thresholds["best-guess"].ai == 0.3 and len(facts.sha256) == 64


def test_own_model_folder_scores_match_detector(tiny_model_dir):
    from imageprocess.detector import Detector
    from imageprocess.types import Source
    from testkit.pictures import encode, gradient

    image = gradient()
    (score,) = open_scorer(tiny_model_dir).score([np.asarray(image)])
    result = Detector(tiny_model_dir).detect(Source("x", encode(image, "PNG")), only={"model"})
    assert score == pytest.approx(result.verdict.probability_ai, abs=1e-9)


def test_missing_peer_field_is_named(tmp_path):
    write_peer(tmp_path, 2)
    (tmp_path / "model.json").write_text(json.dumps({"onnx": "peer.onnx"}), encoding="utf-8")
    with pytest.raises(ModelError, match="'input' is missing"):
        open_scorer(tmp_path)


def test_folder_without_model_is_reported(tmp_path):
    with pytest.raises(ModelError, match=r"model\.json"):
        open_scorer(tmp_path)
