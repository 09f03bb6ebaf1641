from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from imageprocess.data.index import read_index
from imageprocess.errors import DataError
from imageprocess.train.dataset import Pictures, cache_path, epoch_order, fill_cache, read_prepared
from imageprocess.train.nets import CNN_INPUT


def test_an_epoch_shows_every_picture_and_weighs_the_classes_alike(drawn_data: Path) -> None:
    rows = read_index(drawn_data)
    order = epoch_order(rows, seed=1, epoch=0)
    assert set(order) == set(range(len(rows)))
    shown = Counter(rows[i].label for i in order)
    assert shown["ai"] == shown["real"]
    assert order != epoch_order(rows, seed=1, epoch=1)
    assert order == epoch_order(rows, seed=1, epoch=0)


def test_one_class_alone_is_an_error(drawn_data: Path) -> None:
    rows = [row for row in read_index(drawn_data) if row.label == "ai"]
    with pytest.raises(DataError, match="both classes"):
        epoch_order(rows, seed=0, epoch=0)


def test_training_draws_anew_each_epoch_and_validation_never(drawn_data: Path) -> None:
    rows = read_index(drawn_data)[:4]
    for training in (True, False):
        pictures = Pictures(drawn_data, rows, CNN_INPUT, seed=0, training=training)
        first = pictures[0][0]
        assert torch.equal(first, pictures[0][0])
        pictures.set_epoch(1)
        assert torch.equal(first, pictures[0][0]) is not training


def test_a_picture_and_its_class(drawn_data: Path) -> None:
    rows = read_index(drawn_data)
    pictures = Pictures(drawn_data, rows, CNN_INPUT, seed=0, training=False)
    pixels, label = pictures[0]
    assert pixels.shape == (3, 224, 224) and pixels.dtype == torch.float32
    assert label == {"ai": 0, "real": 1}[rows[0].label]


def test_the_cache_is_nearly_lossless(drawn_data: Path, tmp_path: Path) -> None:
    row = next(row for row in read_index(drawn_data) if row.label == "real")
    (tmp_path / "images").mkdir()
    (tmp_path / row.path).write_bytes((drawn_data / row.path).read_bytes())
    straight = read_prepared(tmp_path, row).astype(int)
    fill_cache(tmp_path, [row], jobs=1, progress=lambda done, of: None)
    assert cache_path(tmp_path, row).exists()
    assert np.abs(read_prepared(tmp_path, row) - straight).mean() < 1
