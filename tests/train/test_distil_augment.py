"""Augmentation of the student's views."""

from __future__ import annotations

import numpy as np
import pytest

from imageprocess.train.distil.augment import random_window

pytestmark = pytest.mark.torch


def _view() -> np.ndarray:
    """Each pixel tells its row and column."""
    rows, columns = np.mgrid[:224, :224]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("side", [128, 192, 224])
def test_windows_have_the_side_that_was_asked_and_depend_on_the_generator_alone(side: int) -> None:
    view = _view()
    for seed in range(40):
        window = random_window(view, side, np.random.default_rng(seed))
        assert window.shape == (side, side, 3)
        assert window.dtype == np.uint8
        np.testing.assert_array_equal(window, random_window(view, side, np.random.default_rng(seed)))
    np.testing.assert_array_equal(view, _view())


def test_some_windows_are_exact_parts_and_others_are_scaled_or_compressed() -> None:
    """An exact part has steps of one pixel between columns; a scaled one has larger steps."""
    exact = scaled = compressed = 0
    for seed in range(200):
        window = random_window(_view(), 128, np.random.default_rng(seed))
        across = abs(int(window[0, -1, 1]) - int(window[0, 0, 1]))
        if across > 135:
            scaled += 1
        elif (window[..., 2] == 0).mean() > 0.7:
            exact += 1
        else:
            compressed += 1
    assert min(exact, scaled, compressed) > 20
