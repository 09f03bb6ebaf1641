from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import imageprocess.models
from imageprocess.errors import DataError
from imageprocess.model.spec import load_spec
from imageprocess.train.calibration import calibrate
from imageprocess.train.export import export
from imageprocess.train.nets import CNN
from imageprocess.train.recipes import NETS, RECIPES, Recipe
from imageprocess.train.result import DataFacts, TrainResult
from imageprocess.train.thresholds import ERROR_BUDGETS, modes_thresholds

SHIPPED = Path(imageprocess.models.__path__[0]) / "cnn"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    logits = rng.normal(size=(400, 2)).astype(np.float32)
    logits[np.arange(400), labels] += 2
    result = TrainResult(
        recipe=Recipe(),
        log=[{"epoch": 1.0, "val_accuracy": 0.9}],
        best_epoch=1,
        val_logits=logits,
        val_labels=labels,
        network=CNN(),
        data=DataFacts("0" * 12, {"train": 1, "val": 1, "test": 0}, smallest_px=200),
    )
    return export(result, tmp_path_factory.mktemp("export") / "cnn")


def _largest_difference(folder: Path) -> float:
    """Between the graph's logits and PyTorch's, over 100 pictures."""
    network = CNN().eval()
    network.load_state_dict(torch.load(folder / "cnn_model.pth", weights_only=True))
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    pixels = torch.rand(100, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        expected = network(pixels).numpy()
    logits, heatmap = session.run(None, {"pixels": pixels.numpy()})
    assert heatmap.shape == (100, 14, 14)
    return float(np.abs(logits - expected).max())


def test_the_graph_equals_the_network(exported: Path) -> None:
    assert _largest_difference(exported) < 1e-4


@pytest.mark.skipif(not SHIPPED.exists(), reason="no trained CNN ships in this tree")
def test_the_shipped_graph_equals_the_shipped_network() -> None:
    assert _largest_difference(SHIPPED) < 1e-4


def test_exported_folder_is_complete_and_loads(exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == ["cnn_model.pth", "model.json", "model.onnx"]
    spec = load_spec(exported)
    assert spec.has_heatmap and spec.input.width == spec.input.height == 224
    assert json.loads((exported / "model.json").read_text())["parameters"] == 3_309_090


def test_calibration_recovers_a_known_temperature_and_bias() -> None:
    rng = np.random.default_rng(1)
    scaled = rng.normal(0, 3, 40_000)
    labels = np.where(rng.random(40_000) < 1 / (1 + np.exp(-scaled)), 0, 1)
    # logit(ai) - logit(real) = 2.5 * (scaled - 0.7): temperature 2.5, bias 0.7
    logits = np.stack([2.5 * (scaled - 0.7), np.zeros_like(scaled)], axis=1).astype(np.float32)
    calibration = calibrate(logits, labels, fitted_on="a draw")
    assert calibration.temperature == pytest.approx(2.5, rel=0.05)
    assert calibration.bias == pytest.approx(0.7, abs=0.08)


def test_thresholds_keep_their_error_budgets() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 5_000)
    logits = np.stack([rng.normal(np.where(labels == 0, 1.0, -1.0), 1.0), np.zeros(10_000)], axis=1)
    calibration = calibrate(logits.astype(np.float32), labels, fitted_on="a draw")
    probability = 1 / (1 + np.exp(-(logits[:, 0] / calibration.temperature + calibration.bias)))
    for mode, fpr, fnr in (("high-confidence", 0.005, 0.005), ("balanced", 0.02, 0.03)):
        bounds = calibration.thresholds[mode]  # type: ignore[index]
        assert fpr - 0.002 < (probability[labels == 1] >= bounds["ai"]).mean() <= fpr
        assert fnr - 0.002 < (probability[labels == 0] <= bounds["real"]).mean() <= fnr
    assert calibration.thresholds["high-confidence"]["ai"] >= calibration.thresholds["balanced"]["ai"] >= 0.5


@pytest.mark.parametrize("count", [1, 20, 51, 101, 201, 1000])
@pytest.mark.parametrize("ties", [False, True])
def test_thresholds_keep_their_error_budgets_for_few_images_and_ties(count: int, ties: bool) -> None:
    rng = np.random.default_rng(count)
    ai, real = rng.uniform(0.3, 1, count), rng.uniform(0, 1, count)
    if ties:
        ai, real = ai.round(1), real.round(1)
    thresholds = modes_thresholds(np.append(ai, real), np.repeat([True, False], count))
    for mode, budget in ERROR_BUDGETS.items():
        assert (real >= thresholds[mode]["ai"]).sum() <= budget.real_called_ai * count or thresholds[mode][
            "ai"
        ] == 1
        assert (ai <= thresholds[mode]["real"]).sum() <= budget.ai_called_real * count
        # And no stricter than it takes.
        assert (
            thresholds[mode]["ai"] == 0.5
            or (real >= thresholds[mode]["ai"] - 2e-4).sum() > budget.real_called_ai * count
        )


def test_uninformative_network_is_unsure_and_scores_are_never_inverted() -> None:
    labels = np.repeat([0, 1], 50)
    worse = np.stack([np.where(labels == 0, -1.0, 1.0), np.zeros(100)], axis=1)
    for logits in (worse, np.zeros((100, 2))):
        calibration = calibrate(logits.astype(np.float32), labels, fitted_on="a draw")
        assert calibration.temperature > 0
        assert abs(1 / (1 + np.exp(-logits[0, 0] / calibration.temperature - calibration.bias)) - 0.5) < 0.01
    with pytest.raises(DataError, match="diverged"):
        calibrate(np.full((100, 2), np.nan, dtype=np.float32), labels, fitted_on="a draw")


def test_other_networks_round_trip(tmp_path: Path) -> None:
    labels = np.arange(40) % 2
    logits = np.eye(2, dtype=np.float32)[labels] + np.random.default_rng(0).normal(size=(40, 2)).astype(
        np.float32
    )
    result = TrainResult(
        recipe=RECIPES["small32"],
        log=[{"epoch": 1.0, "val_accuracy": 0.9}],
        best_epoch=1,
        val_logits=logits,
        val_labels=labels,
        network=NETS["small32"](),
        data=DataFacts("0" * 12, {"train": 1, "val": 1, "test": 0}, smallest_px=200),
    )
    folder = export(result, tmp_path / "small32")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    pixels = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    network = NETS["small32"]().eval()
    network.load_state_dict(torch.load(folder / "small32_model.pth", weights_only=True))
    with torch.no_grad():
        expected = network(pixels).numpy()
    logits, heatmap = session.run(None, {"pixels": pixels.numpy()})
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert heatmap.shape == (4, 4, 4)
    assert load_spec(folder).facts["training"]["recipe"] == RECIPES["small32"].to_dict()
