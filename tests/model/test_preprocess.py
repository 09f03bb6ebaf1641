"""Preprocessing: resize and normalise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imageprocess.model.preprocess import normalise, preprocess, resize
from imageprocess.model.registry import MODELS
from imageprocess.model.spec import InputSpec, load_spec
from testkit.pictures import gradient

SPEC = InputSpec(width=8, height=6, filter="bilinear", mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))


def test_normalise_gives_channels_first() -> None:
    pixels = np.zeros((6, 8, 3), dtype=np.uint8)
    pixels[2, 5] = (255, 128, 51)
    actual = normalise(pixels, SPEC)
    assert actual.shape == (3, 6, 8) and actual.dtype == np.float32 and actual.flags.c_contiguous
    assert actual[:, 2, 5].tolist() == pytest.approx([1.0, (128 / 255 - 0.25) / 0.25, 0.2], abs=1e-6)
    assert actual[:, 0, 0].tolist() == pytest.approx([-1, -1, 0], abs=1e-6)


@pytest.mark.parametrize("name", ["box", "bilinear", "bicubic", "lanczos"])
def test_resize_matches_pillow_filter(name: str) -> None:
    spec = InputSpec(8, 6, name, SPEC.mean, SPEC.std)
    expected = gradient().resize((8, 6), Image.Resampling[name.upper()])
    assert np.array_equal(resize(np.asarray(gradient()), spec), np.asarray(expected))


@pytest.mark.parametrize("name", ["box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(
    ("width", "height"), [(2000, 1500), (8, 300_000), (300_000, 8), (1, 2_200_000), (2_200_000, 1)]
)
def test_resize_in_strips_matches_whole(name: str, width: int, height: int) -> None:
    rng = np.random.default_rng(width)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    spec = InputSpec(8, 6, name, SPEC.mean, SPEC.std)
    expected = Image.fromarray(pixels).resize((8, 6), Image.Resampling[name.upper()])
    assert np.array_equal(resize(pixels, spec), np.asarray(expected))


@pytest.mark.parametrize("name", ["box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("gap", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize(
    ("width", "height"),
    [
        (4000, 3000), (3000, 4000), (2017, 1513),  # in strips
        (1152, 864), (897, 896), (896, 897), (448, 448), (449, 300), (300, 1000),  # one axis, both or none
        (300_000, 8), (8, 300_000), (2_200_001, 1), (1, 2_200_001),
    ],
)  # fmt: skip
def test_reducing_matches_pillow(name: str, gap: float, width: int, height: int) -> None:
    rng = np.random.default_rng(width)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    spec = InputSpec(224, 224, name, SPEC.mean, SPEC.std, gap)
    expected = Image.fromarray(pixels).resize((224, 224), Image.Resampling[name.upper()], reducing_gap=gap)
    assert np.array_equal(resize(pixels, spec), np.asarray(expected))


def test_no_reduction_up_to_training_size() -> None:
    """A network trained without the gap gets the same input."""
    spec = load_spec(MODELS / "cnn").input
    assert spec.reducing_gap == 1.75
    rng = np.random.default_rng(3)
    for width, height in ((448, 448), (448, 224), (783, 600)):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        assert np.array_equal(resize(pixels, spec), resize(pixels, replace(spec, reducing_gap=None)))


def test_image_of_input_size_is_unchanged() -> None:
    pixels = np.asarray(gradient(8, 6))
    assert resize(pixels, SPEC) is pixels


def test_downscaling_does_not_alias() -> None:
    stripes = np.zeros((600, 800, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(resize(stripes, SPEC).astype(int) - 127).max() <= 1


def test_normalise_in_place() -> None:
    pixels = np.asarray(gradient(8, 6))
    room = np.full((2, 3, 6, 8), 7, dtype=np.float32)
    assert normalise(pixels, SPEC, room[1]) is not None
    assert np.array_equal(room[1], normalise(pixels, SPEC)) and (room[0] == 7).all()


def test_preprocess_resizes_and_normalises() -> None:
    pixels = np.asarray(gradient())
    assert np.array_equal(preprocess(pixels, SPEC), normalise(resize(pixels, SPEC), SPEC))
