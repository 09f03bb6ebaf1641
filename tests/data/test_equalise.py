"""One random pipeline for both classes: what comes out says nothing of the file that went in."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from imageprocess.data.equalise import LONG_SIDE, equalise, picture_seed, prepare
from imageprocess.data.facts import read_facts
from testkit.pictures import scene

SIZES = [(200, 200), (256, 256), (1024, 1024), (4000, 300), (300, 1600), (1600, 1200), (333, 217)]


@pytest.mark.parametrize("size", SIZES)
def test_prepare_shrinks_to_the_long_side_and_never_enlarges(size: tuple[int, int]) -> None:
    height, width = prepare(np.asarray(scene(0, *size))).shape[:2]
    scale = min(1, LONG_SIDE / max(size))
    assert abs(width - size[0] * scale) <= 0.5
    assert abs(height - size[1] * scale) <= 0.5


def test_prepare_is_idempotent() -> None:
    once = prepare(np.asarray(scene(0, 1600, 1200)))
    assert np.array_equal(prepare(once), once)


def test_result_depends_only_on_the_seed() -> None:
    pixels = np.asarray(scene(0))
    one, same, other = equalise(pixels, 7), equalise(pixels, 7), equalise(pixels, 8)
    assert one.data == same.data
    assert np.array_equal(one.pixels, same.pixels)
    assert one.data != other.data


def test_the_pixels_are_those_of_the_delivered_file() -> None:
    for seed in range(20):
        result = equalise(np.asarray(scene(seed)), seed)
        with Image.open(io.BytesIO(result.data)) as delivered:
            assert delivered.format == result.format
            assert np.array_equal(np.asarray(delivered.convert("RGB")), result.pixels)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_gets_the_same_spread_of_file_facts(size: tuple[int, int]) -> None:
    pixels = prepare(np.asarray(scene(0, *size)))
    facts = [read_facts(equalise(pixels, seed).data) for seed in range(200)]
    long_sides = [max(fact.width, fact.height) for fact in facts]
    aspects = [math.log2(fact.aspect) for fact in facts]
    assert min(long_sides) >= 224 and max(long_sides) <= 448
    assert 297 < np.median(long_sides) < 337  # log-uniform: the middle is the geometric mean, 317
    assert abs(np.mean(aspects)) < 0.08 and max(map(abs, aspects)) < math.log2(1.5) + 0.02
    jpegs = [fact for fact in facts if fact.format == "JPEG"]
    assert 0.7 < len(jpegs) / len(facts) < 0.9
    assert 61 < np.mean([fact.jpeg_quality or 0 for fact in jpegs]) < 74  # uniform over 40 to 95: 67.5
    assert 0.1 < np.mean([fact.jpeg_subsampling == "4:4:4" for fact in jpegs]) < 0.32
    assert not any(fact.has_exif or fact.has_icc or fact.has_xmp or fact.has_text for fact in facts)


def test_the_window_lies_inside_the_picture() -> None:
    """A picture of one colour stays of one colour: nothing from beyond its edge is mixed in."""
    pixels = np.full((210, 390, 3), (200, 40, 90), dtype=np.uint8)
    for seed in range(30):
        assert np.abs(equalise(pixels, seed).pixels.astype(int) - (200, 40, 90)).max() <= 6


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (2, 3)])
def test_extreme_aspect_ratios_are_accepted(size: tuple[int, int]) -> None:
    for seed in range(20):
        assert equalise(np.asarray(scene(0, *size)), seed).pixels.ndim == 3


def test_the_seed_of_a_picture_is_its_hash() -> None:
    assert picture_seed("00000000000a" + "f" * 52) == 10
