"""Low-rank adapters: they learn, go on where a run stopped, and merged into the weights they are the same network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from imageprocess.cli import main
from imageprocess.data.index import IndexRow, read_index, write_index
from imageprocess.errors import ModelError, UsageError
from imageprocess.model.base.adapter import load_adapter, merge, save_adapter
from imageprocess.model.base.cut_encoder import add_vit
from imageprocess.model.base.graph import GraphBuilder
from imageprocess.model.base.install import install
from imageprocess.model.base.tensors import read_tensors
from imageprocess.model.registry import verify
from imageprocess.model.session import Session, open_graph
from imageprocess.model.spec import InputSpec
from imageprocess.train.encoder.adapt import AdaptOptions, adapt
from imageprocess.train.encoder.lora import AdaptedTower
from testkit.pictures import encode, scene
from tests.support.tiny_vit import BLOCKS, GRID, SIDE, WIDTH, tiny_tensors, write_safetensors

pytestmark = pytest.mark.torch
SPEC = InputSpec(SIDE, SIDE, "bicubic", (0.5,) * 3, (0.5,) * 3)
OPTIONS = AdaptOptions(
    taps=(2, 3), blocks=(2, 3), rank=4, epochs=3, batch_size=8, hidden=16, precision="float32", learning_rate=3e-3
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_safetensors(tmp_path_factory.mktemp("base") / "base.safetensors", tiny_tensors())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sources of either class, of ten pictures each: AI pictures are noisy and dark. A source of open_test."""
    folder, rng, rows = tmp_path_factory.mktemp("data"), np.random.default_rng(0), []
    for number in range(100):
        is_ai, source = number % 2 == 0, number % 10
        pixels = np.asarray(scene(number, 96, 80)).astype(int)
        if is_ai:
            pixels = pixels // 3 + rng.integers(-30, 30, pixels.shape)
        content = encode(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), "PNG")
        (folder / f"{number}.png").write_bytes(content)
        rows.append(
            IndexRow(
                f"{number}.png", "ai" if is_ai else "real", f"s{source}", "", ("photo", "art")[number // 50], "",
                hashlib.sha256(content).hexdigest(), len(content), 96, 80, "PNG", None,
                "open_test" if source > 7 else "train", f"g{number}", "", "mine" if source > 7 else "",
            )
        )  # fmt: skip
    write_index(folder, rows)
    return folder


def _log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def _tokens(tensors: Any, pixels: np.ndarray) -> np.ndarray:
    """CLS tokens behind the taps, of the float graph."""
    graph = GraphBuilder()
    tapped = add_vit(graph, "pixels", tensors, OPTIONS.taps)
    graph.rename(graph.add("Concat", *tapped, axis=2), "tokens")
    outputs: dict[str, list[Any]] = {"tokens": ["b", GRID**2 + 1, 2 * WIDTH]}
    model = graph.model("vit", {"pixels": ["b", 3, SIDE, SIDE]}, outputs)
    (tokens,) = open_graph(model.SerializeToString(), "vit").run(["tokens"], {"pixels": pixels})
    return np.asarray(tokens[:, 0])


def test_training_lowers_the_loss_and_classifies_held_out_sources(
    base: Path, data: Path, tmp_path: Path
) -> None:
    options = replace(OPTIONS, epochs=6, fold=1)
    adapt(read_tensors(base), data, read_index(data), SPEC, tmp_path, options, workers=0)
    log = _log(tmp_path)
    assert [row["epoch"] for row in log] == [1, 2, 3, 4, 5, 6]
    assert log[-1]["loss"] < 0.85 * log[0]["loss"] and log[-1]["held_out_auroc"] > 0.9
    adapter = load_adapter(tmp_path / "adapter.npz")
    names = [f"encoder.layers.{block}.self_attn.{part}_proj" for block in (1, 2) for part in "qv"]
    assert sorted(adapter) == names
    assert all(np.abs(layer.change).max() > 1e-3 for layer in adapter.values())
    assert (tmp_path / "adapter.npz").stat().st_size < 100_000


def test_rank_zero_trains_the_head_alone(base: Path, data: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, rank=0, epochs=1, fold=1)
    adapt(read_tensors(base), data, read_index(data), SPEC, tmp_path, options, workers=0)
    assert "held_out_auroc" in _log(tmp_path)[0] and not (tmp_path / "adapter.npz").exists()


@pytest.mark.parametrize("targets", [("q", "v"), ("q", "v", "fc1", "fc2")])
def test_merged_weights_are_the_adapted_network(base: Path, tmp_path: Path, targets: Any) -> None:
    tensors = read_tensors(base)
    torch.manual_seed(0)
    tower = AdaptedTower(tensors, OPTIONS.taps, rank=4, blocks=(1, 3), targets=targets)
    pixels = np.random.default_rng(1).normal(0, 1, (3, 3, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad():
        frozen = tower(torch.from_numpy(pixels)).numpy()
        for name, parameter in tower.named_parameters():
            if name.endswith(".up"):
                parameter.normal_(0, 0.2)
        adapted = tower(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(frozen, _tokens(tensors, pixels), atol=2e-4)  # it begins as the frozen network
    save_adapter(tmp_path / "adapter.npz", tower.adapter())
    merged = _tokens(merge(tensors, load_adapter(tmp_path / "adapter.npz")), pixels)
    assert np.abs(adapted - frozen).max() > 0.1
    np.testing.assert_allclose(merged, adapted, atol=5e-3)  # 16 bits on disk


def test_interrupted_run_equals_uninterrupted_run(base: Path, data: Path, tmp_path: Path) -> None:
    arguments = (read_tensors(base), data, read_index(data), SPEC)
    adapt(*arguments, tmp_path / "whole", OPTIONS, workers=0)
    for _ in range(3):  # in the middle of an epoch, each time
        adapt(*arguments, tmp_path / "parts", OPTIONS, workers=0, max_steps=7)
        assert not (tmp_path / "parts" / "adapter.npz").exists()
    adapt(*arguments, tmp_path / "parts", OPTIONS, workers=0)
    whole, parts = (load_adapter(tmp_path / name / "adapter.npz") for name in ("whole", "parts"))
    for name, layer in whole.items():
        np.testing.assert_array_equal(layer.change, parts[name].change)
    with pytest.raises(UsageError, match="other options"):
        adapt(*arguments, tmp_path / "parts", replace(OPTIONS, rank=2), workers=0)
    with pytest.raises(UsageError, match="other pictures"):
        adapt(*arguments[:2], read_index(data)[:60], SPEC, tmp_path / "parts", OPTIONS, workers=0)


def test_adapter_of_another_encoder_is_rejected(base: Path) -> None:
    tensors = read_tensors(base)
    adapter = AdaptedTower(tensors, (1,), rank=2, blocks=(1,), targets=("q",)).adapter()
    other = {name: value[:32, :32] if value.ndim == 2 else value for name, value in tensors.items()}
    with pytest.raises(ModelError, match="adapter is for another encoder"):
        merge(other, adapter)
    with pytest.raises(UsageError, match=f"block 9: the encoder has blocks 1 to {BLOCKS}"):
        AdaptedTower(tensors, (1,), rank=2, blocks=(9,), targets=("q",))


def test_adapted_encoder_composes_and_installs(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ["--data", str(data), "--encoder", str(base), "--taps", "2-3"]
    adapter, store, recipe = (
        tmp_path / "run" / "adapter.npz",
        tmp_path / "store",
        tmp_path / "models" / "clip",
    )
    steps = [
        ["adapt", *common, "--out", str(adapter.parent), "--rank", "4", "--epochs", "2", "--batch-size", "8",
         "--learning-rate", "0.003", "--workers", "0", "--mlp"],
        ["features", *common, "--out", str(store), "--adapter", str(adapter), "--jobs", "1"],
        ["head", *common[:4], "--features", str(store), "--adapter", str(adapter), "--out", str(recipe),
         "--version", "2"],
    ]  # fmt: skip
    for step in steps:
        result = CliRunner().invoke(main, ["encoder", *step])
        assert result.exit_code == 0, result.output
    without = [part for part in steps[2] if part not in ("--adapter", str(adapter))]
    result = CliRunner().invoke(main, ["encoder", *without])
    assert result.exit_code == 2 and "another adapter than none" in result.output
    assert "adapter.npz" in verify(recipe).facts["files"] and "adapters" in (recipe / "CARD.md").read_text()
    monkeypatch.setenv("IMAGEPROCESS_HOME", str(tmp_path / "home"))
    got = install(recipe, base_file=base)  # answers as the recipe says: with the adapter merged in
    pictures = [Session(got.folder).prepare(np.asarray(Image.open(data / f"{n}.png"))) for n in (8, 9)]
    dark, soft = (output.logits[0] - output.logits[1] for output in Session(got.folder).run(pictures))
    assert dark > soft
