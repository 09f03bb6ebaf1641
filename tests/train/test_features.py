"""A feature store contains the outputs of the shipped graph, is completed after an interruption, and is never mixed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imageprocess.data.degrade import degrade
from imageprocess.data.index import IndexRow, read_index, write_index
from imageprocess.decode import decode
from imageprocess.errors import DataError
from imageprocess.model.base.cut_encoder import ClipTower
from imageprocess.model.base.quantise import load_quantisation
from imageprocess.model.base.tensors import read_tensors
from imageprocess.model.preprocess import normalise
from imageprocess.model.session import open_graph
from imageprocess.model.spec import InputSpec
from imageprocess.model.views import cut_views
from imageprocess.train.encoder.features import (
    TEST_VARIANTS,
    TRAIN_VARIANTS,
    FeatureSpec,
    build_extractor,
    extract,
    load_features,
)
from imageprocess.train.encoder.ranges import fit_quantisation
from testkit.pictures import encode, scene
from tests.support.tiny_vit import SIDE, WIDTH, tiny_tensors, write_safetensors

pytestmark = pytest.mark.torch
SPEC = InputSpec(SIDE, SIDE, "bicubic", (0.5,) * 3, (0.5,) * 3)
TAPS = (1, 3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources of two pictures, the last one of open_test; one file of the first does not decode."""
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for number in range(6):
        source = ("one", "two", "three")[number // 2]
        content = b"broken" if number == 1 else encode(scene(number), "JPEG")
        (folder / f"{number}.jpg").write_bytes(content)
        rows.append(
            IndexRow(
                f"{number}.jpg", "ai" if source == "one" else "real", source, "", "photo", "",
                hashlib.sha256(content).hexdigest(), len(content), 320, 240, "JPEG", None,
                "open_test" if source == "three" else "train", f"g{number}",
            )
        )  # fmt: skip
    write_index(folder, rows)
    return folder


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tower")
    base = write_safetensors(folder / "base.safetensors", tiny_tensors())
    rows = [row for row in read_index(data) if row.path != "1.jpg"]
    fit_quantisation(base, TAPS, data, rows, SPEC, folder / "quantisation.npz")
    tower = ClipTower(read_tensors(base), TAPS, load_quantisation(folder / "quantisation.npz"))
    build_extractor(tower, folder / "features.onnx")
    return {"graph": folder / "features.onnx", "quantisation": folder / "quantisation.npz"}


def test_ranges_are_fitted_for_every_linear_layer(tower: dict[str, Path]) -> None:
    layers = load_quantisation(tower["quantisation"])
    assert sorted(layers) == sorted(
        f"{block}.{name}" for block in range(3) for name in ("qkv", "out", "fc1", "fc2")
    )


def test_stored_features_equal_graph_output(tower: dict[str, Path], data: Path, tmp_path: Path) -> None:
    spec = FeatureSpec("e", "q", TAPS, SPEC, 1)
    assert extract(data, tmp_path / "store", tower["graph"], spec, per_source=5, jobs=1) == {}
    rows = read_index(data)
    training = load_features(tmp_path / "store", rows, TRAIN_VARIANTS)
    assert training.cls.shape == (6, 2, len(TAPS) * WIDTH)  # three readable pictures, two copies, two views
    assert list(training.is_ai) == [True, True, False, False, False, False]
    assert set(load_features(tmp_path / "store", rows, TEST_VARIANTS).variant) == set(TEST_VARIANTS)
    pixels = decode((data / "0.jpg").read_bytes(), name="0").pixels
    copy = degrade(pixels, int(rows[0].sha256[:12], 16) + 1)
    views = np.stack([normalise(view, SPEC) for view in cut_views(copy, SPEC, 1)])
    (cls,) = open_graph(tower["graph"].read_bytes(), "features").run(["cls"], {"pixels": views})
    np.testing.assert_array_equal(training.cls[1], cls.astype(np.float16))


def test_run_resumes_and_another_encoder_is_rejected(
    tower: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    spec = FeatureSpec("e", "q", TAPS, SPEC, 1)
    extract(data, tmp_path, tower["graph"], spec, per_source=5, jobs=1)
    (tmp_path / "two.npz").unlink()
    kept = (tmp_path / "one.npz").stat().st_mtime_ns
    seen: list[tuple[int, int]] = []
    extract(
        data, tmp_path, tower["graph"], spec, per_source=5, jobs=1, progress=lambda *step: seen.append(step)
    )
    # Of source `one` the broken picture is tried again, and what is there stays.
    assert seen[-1][0] == seen[-1][1] and (tmp_path / "one.npz").stat().st_mtime_ns == kept
    with pytest.raises(DataError, match="differ in encoder_sha256"):
        extract(data, tmp_path, tower["graph"], replace(spec, encoder_sha256="x"), per_source=5)


def test_larger_cap_adds_images_to_existing_features(
    tower: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    spec = FeatureSpec("e", "q", TAPS, SPEC, 1)
    rows = read_index(data)
    extract(data, tmp_path / "some", tower["graph"], spec, per_source=1, jobs=1)
    some = load_features(tmp_path / "some", rows, TRAIN_VARIANTS)
    extract(data, tmp_path / "some", tower["graph"], spec, per_source=5, jobs=1)
    extract(data, tmp_path / "all", tower["graph"], spec, per_source=5, jobs=1)
    more, everything = (load_features(tmp_path / name, rows, TRAIN_VARIANTS) for name in ("some", "all"))
    assert len(some.cls) < len(more.cls) == len(everything.cls)
    np.testing.assert_array_equal(np.sort(more.cls, axis=None), np.sort(everything.cls, axis=None))
    assert len(list((tmp_path / "some").glob("two*.npz"))) == 2


def test_a_source_without_a_picture_is_named(tower: dict[str, Path], data: Path, tmp_path: Path) -> None:
    rows = [row for row in read_index(data) if row.path == "1.jpg"]
    broken = tmp_path / "data"
    broken.mkdir()
    (broken / "1.jpg").write_bytes(b"broken")
    write_index(broken, rows)
    spec = FeatureSpec("e", "q", TAPS, SPEC, 1)
    failed = extract(broken, tmp_path / "store", tower["graph"], spec, per_source=5, jobs=1)
    assert failed == {"one": "one: none of its images can be decoded; build or import the data set again"}
    with pytest.raises(DataError, match="imageprocess encoder features"):
        load_features(tmp_path / "store", rows, TRAIN_VARIANTS)


def test_quantisation_is_not_fitted_on_images_without_labels(data: Path, tmp_path: Path) -> None:
    rows = [replace(row, label="", split="unlabelled") for row in read_index(data)]
    with pytest.raises(DataError, match=r"no training images.*--quantisation"):
        fit_quantisation(tmp_path / "encoder", TAPS, data, rows, SPEC, tmp_path / "quantisation.npz")
