"""A vision transformer of any make, as an ONNX file, becomes a model folder that detects and is evaluated."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from imageprocess.cli import main
from imageprocess.data.index import IndexRow, write_index
from imageprocess.detector import Detector
from imageprocess.errors import ModelError
from imageprocess.model.base.compose import compose_tower
from imageprocess.model.registry import file_sha256, verify
from imageprocess.model.session import open_graph
from imageprocess.model.views import cut_views
from imageprocess.train.encoder.cut_onnx import default_taps, open_tower, read_encoder
from imageprocess.train.encoder.features import build_extractor
from testkit.pictures import encode, scene
from tests.support.onnx_vits import BLOCKS, PATCHES, SIDE, WIDTH, Vit, export, plain_vit, registers_vit
from tests.support.tiny_head import random_head

pytestmark = pytest.mark.torch
MAKES = {"registers": (registers_vit, False, 3), "plain": (plain_vit, True, 0)}


@pytest.fixture(scope="module", params=list(MAKES))
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Vit, Path, int]:
    """The network, its ONNX file, and how many tokens come before the patches."""
    build, old, prefix = MAKES[request.param]
    network = build()
    return network, export(network, tmp_path_factory.mktemp("vit") / "vit.onnx", old=old), prefix


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AI pictures are noisy and dark, real ones soft; one source, as `data import` makes it, with a split test."""
    folder = tmp_path_factory.mktemp("data")
    rng, rows = np.random.default_rng(0), []
    for number in range(48):
        is_ai = number % 2 == 0
        image = scene(number, 96, 80)
        if is_ai:
            noisy = np.asarray(image) // 4 + rng.integers(-40, 40, (80, 96, 3))
            image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        content = encode(image, "PNG")
        (folder / f"{number}.png").write_bytes(content)
        rows.append(
            IndexRow(
                f"{number}.png", "ai" if is_ai else "real", "mine", "", "photo", "",
                hashlib.sha256(content).hexdigest(), len(content), 96, 80, "PNG", None,
                "test" if number >= 36 else "train", f"g{number}",
            )
        )  # fmt: skip
    write_index(folder, rows)
    return folder


def _pixels(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (count, 3, SIDE, SIDE)).astype(np.float32)


def test_detected_blocks_equal_the_blocks_of_the_network(make: tuple[Vit, Path, int], tmp_path: Path) -> None:
    network, path, prefix = make
    file = read_encoder(path)
    assert len(file.blocks) == BLOCKS and file.side == SIDE
    tower = open_tower(file, [2, 4])
    assert tower.layout.prefix == prefix and tower.layout.pool == ("cls" if prefix else "mean")
    assert tower.layout.tokens == PATCHES + prefix and tower.layout.width == WIDTH
    build_extractor(tower, tmp_path / "features.onnx")
    pixels = _pixels(5)
    pooled, mean = open_graph((tmp_path / "features.onnx").read_bytes(), "f").run(
        ["cls", "patches"], {"pixels": pixels}
    )
    with torch.no_grad():
        behind = network.behind(torch.from_numpy(pixels))
    tokens = torch.cat([behind[1], behind[3]], 2).numpy()
    np.testing.assert_allclose(mean, tokens[:, prefix:].mean(1), atol=1e-4)
    np.testing.assert_allclose(pooled, tokens[:, 0] if prefix else mean, atol=1e-4)


def test_graph_is_truncated_after_last_tap(make: tuple[Vit, Path, int]) -> None:
    file = read_encoder(make[1])
    first, last = (open_tower(file, [tap]).model.ByteSize() for tap in (1, BLOCKS))
    assert first < 0.5 * last
    assert default_taps(file) == (2, 3, 4)


def test_tensors_can_be_tapped_by_name(make: tuple[Vit, Path, int]) -> None:
    file = read_encoder(make[1])
    by_name, by_number = (open_tower(file, [tap]).model for tap in (file.blocks[1], 2))
    assert by_name.graph.node == by_number.graph.node
    for name, reason in {
        "nothing": "no tensor named nothing",
        file.model.graph.node[-1].output[0]: r"must have the same shape \(3, tokens, width\)",
    }.items():
        with pytest.raises(ModelError, match=reason):
            open_tower(file, [name])
    with pytest.raises(ModelError, match=f"no block 9; it has {BLOCKS} blocks"):
        open_tower(file, [9])


def test_unusable_encoder_error_states_the_reason(tmp_path: Path) -> None:
    fixed = export(registers_vit(), tmp_path / "fixed.onnx", old=True, open_batch=False)
    with pytest.raises(ModelError, match=r"fixed\.onnx: .*dynamic batch axis"):
        open_tower(read_encoder(fixed), [1])
    with pytest.raises(ModelError, match="not 64 x 64"):
        open_tower(read_encoder(fixed), [1], side=64)
    with pytest.raises(ModelError, match="without a CLS token; use --pool mean"):
        open_tower(read_encoder(export(plain_vit(), tmp_path / "plain.onnx")), [1], pool="cls")
    (tmp_path / "broken.onnx").write_bytes(b"\xffbroken")
    with pytest.raises(ModelError, match="not an ONNX file"):
        read_encoder(tmp_path / "broken.onnx")


def test_half_precision_graph_runs_unchanged(tmp_path: Path) -> None:
    """Input and tokens of 16 bits: the head gets 32."""
    network = registers_vit()
    path = export(network.half(), tmp_path / "half.onnx", half=True)
    tower = open_tower(read_encoder(path), [2])
    build_extractor(tower, tmp_path / "features.onnx")
    pixels = _pixels(2)
    (cls,) = open_graph((tmp_path / "features.onnx").read_bytes(), "f").run(["cls"], {"pixels": pixels})
    with torch.no_grad():
        expected = network.float().behind(torch.from_numpy(pixels))[1][:, 0].numpy()
    assert cls.dtype == np.float32
    np.testing.assert_allclose(cls, expected, atol=0.03)


def test_the_head_reads_the_views_of_the_composed_graph(make: tuple[Vit, Path, int], tmp_path: Path) -> None:
    network, path, prefix = make
    tower = open_tower(read_encoder(path), [1, 3])
    head = random_head(2 * WIDTH)
    compose_tower(tower, head, tmp_path / "model.onnx")
    views = _pixels(6).reshape(2, 3, 3, SIDE, SIDE)  # two pictures: the whole and two crops
    logits, each, heat = open_graph((tmp_path / "model.onnx").read_bytes(), "m").run(
        ["logits", "view_logits", "heatmap"], {"pixels": views}
    )
    with torch.no_grad():
        behind = network.behind(torch.from_numpy(views.reshape(6, 3, SIDE, SIDE)))
    tokens = torch.cat([behind[0], behind[2]], 2).numpy()
    patches = tokens[:, prefix:]
    features = (tokens[:, 0] if prefix else patches.mean(1)).reshape(2, 3, -1)
    weight = head.hidden * head.hidden_scale
    hidden = features[:, :1] @ weight[0] + features[:, 1:] @ weight[1] + head.hidden_bias
    expected = np.maximum(hidden, 0) @ head.output + head.output_bias
    np.testing.assert_allclose(each, expected, atol=1e-3)
    np.testing.assert_allclose(logits[:, 0] - logits[:, 1], expected.mean(1), atol=1e-3)
    np.testing.assert_allclose(heat.reshape(6, -1), patches @ head.patches + head.patches_bias, atol=1e-3)


@pytest.mark.parametrize("precision", ["float", "dynamic8", "static8"])
def test_from_file_to_verdict(
    make: tuple[Vit, Path, int], data: Path, tmp_path: Path, precision: str
) -> None:
    _, path, prefix = make
    out = tmp_path / "model"
    command = ["train", "--encoder", str(path), "--data", str(data), "--out", str(out), "--taps", "2-4"]
    command += ["--normalise", "siglip", "--precision", precision, "--jobs", "1", "--name", "mine"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    spec = verify(out)
    own = spec.facts["encoder"]
    assert own["sha256"] == file_sha256(path) and own["taps"] == [2, 3, 4] and own["precision"] == precision
    assert own["pool"] == ("cls" if prefix else "mean") and spec.facts["training"]["folds_of"] == "pictures"
    assert spec.facts["training"]["images"]["train"] == 72  # two copies of 36: the split test stays out
    detector = Detector(out)
    test_pictures = [data / f"{number}.png" for number in range(36, 48)]
    results = [detector.detect(picture, heatmap=True) for picture in test_pictures]
    said = [one.verdict.probability_ai for one in results if one.verdict]
    assert np.mean(said[::2]) > np.mean(said[1::2]) + 0.3
    assert all(one.heatmap is not None and one.heatmap.shape == (4, 4) for one in results)
    if precision == "float":
        _evaluates(out, data, tmp_path / "report.json")


def _evaluates(model: Path, data: Path, report: Path) -> None:
    command = ["evaluate", "--data", str(data), "--model", str(model), "--tiers", "clean"]
    result = CliRunner().invoke(main, [*command, "--resamples", "0", "--json", str(report)])
    assert result.exit_code == 0, result.output
    assert "mine" in report.read_text()


def test_static_integers_stay_close_whatever_the_batch(data: Path, tmp_path: Path) -> None:
    from imageprocess.data.index import read_index
    from imageprocess.model.spec import InputSpec
    from imageprocess.train.encoder.quantisation import quantise_tower

    tower = open_tower(read_encoder(export(registers_vit(), tmp_path / "vit.onnx")), [3])
    spec = InputSpec(SIDE, SIDE, "bicubic", (0.5,) * 3, (0.5,) * 3)
    whole = open_graph(tower.model.SerializeToString(), "float")
    small = quantise_tower(tower, "static8", data, read_index(data), spec, tmp_path / "int8.onnx")
    assert (tmp_path / "int8.onnx").stat().st_size < 0.6 * tower.model.ByteSize()
    views = np.stack([cut_views(np.asarray(scene(number)), spec, 1)[0] for number in range(4)])
    pixels = (views.transpose(0, 3, 1, 2) / 127.5 - 1).astype(np.float32)
    name = "imageprocess_tap_0"
    integers = open_graph(small.model.SerializeToString(), "int8")
    (exact,), (eight_bit,), (alone,) = (
        session.run([name], {"imageprocess_pixels": batch})
        for session, batch in ((whole, pixels), (integers, pixels), (integers, pixels[:1]))
    )
    np.testing.assert_allclose(alone, eight_bit[:1], atol=1e-5)
    exact, eight_bit = exact[:, 0], eight_bit[:, 0]
    cosine = (exact * eight_bit).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(eight_bit, axis=1)
    assert cosine.min() > 0.98


def test_incompatible_options_are_an_error(make: tuple[Vit, Path, int], data: Path, tmp_path: Path) -> None:
    command = ["train", "--encoder", str(make[1]), "--data", str(data), "--out", str(tmp_path / "m")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2 and "--normalise clip, imagenet or siglip" in result.output
    result = CliRunner().invoke(main, [*command, "--normalise", "clip", "--mean", "0,0,0"])
    assert result.exit_code == 2 and "--mean and --std" in result.output
    result = CliRunner().invoke(main, [*command, "--epochs", "3"])
    assert result.exit_code == 2 and "--epochs" in result.output
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    command[-1] = str(tmp_path / "other")
    result = CliRunner().invoke(main, [*command, "--normalise", "clip"])
    assert result.exit_code == 2 and "not a model folder" in result.output
    assert (tmp_path / "other" / "letter.txt").exists()
