"""Degraded copies: the same for the same seed, never enlarged, encoded at least once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageprocess.data.degrade import MAX_SIDE, SIDES, degrade
from testkit.pictures import gradient


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 700), st.integers(1, 500), st.integers(0, 1 << 40), st.booleans())
def test_degraded_image_is_never_larger(width: int, height: int, seed: int, light: bool) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    once = degrade(pixels, seed, light=light)
    assert once.dtype == np.uint8 and once.ndim == 3 and once.shape[2] == 3
    assert once.shape[0] <= height and once.shape[1] <= width
    assert np.array_equal(once, degrade(pixels, seed, light=light))


def test_a_light_copy_keeps_its_size_and_is_encoded_once() -> None:
    pixels = np.asarray(gradient(300, 200))
    copy = degrade(pixels, 3, light=True)
    assert copy.shape == pixels.shape
    assert 0 < np.abs(copy.astype(int) - pixels).mean() < 6


def test_large_images_are_reduced() -> None:
    pixels = np.zeros((40, MAX_SIDE + 400, 3), dtype=np.uint8)
    sides = {max(degrade(pixels, seed).shape) for seed in range(12)}
    assert max(sides) <= MAX_SIDE and min(sides) < SIDES[1] and len(sides) > 6


@pytest.mark.parametrize("seed", range(4))
def test_seeds_differ(seed: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert not np.array_equal(degrade(pixels, seed), degrade(pixels, seed + 1))
