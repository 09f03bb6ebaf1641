"""Sampling weights, and the order of an epoch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from imageprocess.data.index import IndexRow
from imageprocess.data.sampling import (
    class_balanced_weights,
    epoch_order,
    group_balanced_weights,
    source_weights,
)
from imageprocess.errors import DataError

SOURCE = np.array(["a"] * 8 + ["b"] * 2 + ["c"] * 5)
IS_AI = np.array([True] * 10 + [False] * 5)
ROW = IndexRow("0.png", "ai", "s", "", "photo", "", "0" * 64, 1, 9, 9, "PNG", None, "train", "g")


def _rows(ai: int, real: int) -> list[IndexRow]:
    return [replace(ROW, label="ai")] * ai + [replace(ROW, label="real")] * real


def test_power_one_gives_sources_and_power_zero_images_the_same_weight() -> None:
    weights = source_weights(SOURCE)
    totals = [weights[name == SOURCE].sum() for name in "abc"]
    assert totals == pytest.approx([1, 1, 1])
    assert set(source_weights(SOURCE, 0.0).tolist()) == {1.0}


def test_class_balanced_weights_keep_the_ratios_within_a_class() -> None:
    weights = class_balanced_weights(IS_AI, SOURCE, 0.5)
    assert weights[IS_AI].sum() == pytest.approx(1) and weights[~IS_AI].sum() == pytest.approx(1)
    assert weights[8] / weights[0] == pytest.approx(2)  # (8 / 2) ** 0.5


def test_group_power_one_gives_groups_the_same_weight() -> None:
    group = np.array([0] * 10 + [1] * 5)
    weights = group_balanced_weights(SOURCE, group, 1.0, 1.0)
    assert weights[group == 0].sum() == pytest.approx(weights[group == 1].sum())
    np.testing.assert_array_equal(
        group_balanced_weights(SOURCE, group, 0.5, 0.0), source_weights(SOURCE, 0.5)
    )


@pytest.mark.parametrize(("ai", "real"), [(3, 5), (2, 9), (4, 4)])
def test_an_epoch_has_every_image_and_as_many_of_each_class(ai: int, real: int) -> None:
    rows = _rows(ai, real)
    order = epoch_order(rows, seed=1, epoch=0)
    assert set(order) == set(range(len(rows)))
    labels = Counter(rows[index].label for index in order)
    assert labels["ai"] == labels["real"] == max(ai, real)
    assert order == epoch_order(rows, seed=1, epoch=0) != epoch_order(rows, seed=1, epoch=1)


def test_an_epoch_of_one_class_is_an_error() -> None:
    with pytest.raises(DataError, match="images of both classes"):
        epoch_order(_rows(3, 0), seed=0, epoch=0)
