"""Other ways of showing the same picture in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imageprocess.data.index import read_index
from imageprocess.train.dataset import Pictures
from imageprocess.train.nets import CNN_INPUT
from imageprocess.train.variations import greyed, moved, on_a_page


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (60, 48, 3), dtype=np.uint8)


def test_moved_keeps_what_stays_in_sight(picture: np.ndarray) -> None:
    places = set()
    for seed in range(40):
        shown = moved(picture, 2, np.random.default_rng(seed))
        assert shown.shape == picture.shape
        fits = [
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if np.array_equal(shown[2:-2, 2:-2], picture[2 + y : 58 + y, 2 + x : 46 + x])
        ]
        assert len(fits) == 1
        places.update(fits)
    assert len(places) > 15


def test_greyed_is_pillows_grey(picture: np.ndarray) -> None:
    wanted = np.asarray(Image.fromarray(picture).convert("L").convert("RGB")).astype(int)
    assert np.abs(greyed(picture) - wanted).max() <= 1


def test_on_a_page_the_picture_is_smaller_and_the_rest_is_plain(picture: np.ndarray) -> None:
    red = np.zeros_like(picture) + np.array([255, 0, 0], np.uint8)
    shares, papers = [], []
    for seed in range(60):
        page = on_a_page(red, np.random.default_rng(seed))
        assert page.shape == red.shape
        shown = (page == (255, 0, 0)).all(2)
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        assert shown[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        shares.append(shown.mean())
        rest = page[~shown]
        assert (rest == rest[:, :1]).all()  # grey
        papers.append(np.bincount(rest[:, 0]).argmax())
    assert 0.25 <= min(shares) < 0.4 < 0.8 < max(shares)
    assert min(papers) < 60 and max(papers) >= 200


def test_only_training_is_varied(drawn_data: Path) -> None:
    rows = read_index(drawn_data)[:6]
    varied = {"shift": 9, "grey_share": 1.0, "page_share": 1.0}
    held_out = Pictures(drawn_data, rows, CNN_INPUT)
    also_held_out = Pictures(drawn_data, rows, CNN_INPUT, **varied)
    training = Pictures(drawn_data, rows, CNN_INPUT, deliveries=1, mirrored=False, **varied)
    plain = Pictures(drawn_data, rows, CNN_INPUT, deliveries=1, mirrored=False)
    for index in range(len(rows)):
        assert torch.equal(held_out[index][0], also_held_out[index][0])
        shown = training[index][0]
        assert torch.equal(shown, training[index][0])
        assert not torch.equal(shown, plain[index][0])
        assert (shown[..., 0] == shown[..., 2]).all()
        assert shown.shape == (224, 224, 3)


def test_each_variation_is_drawn_for_its_share(drawn_data: Path) -> None:
    rows = read_index(drawn_data)[:1] * 200
    shown = Pictures(drawn_data, rows, CNN_INPUT, deliveries=1, grey_share=0.25)
    grey = [bool((shown[index][0][..., 0] == shown[index][0][..., 2]).all()) for index in range(len(rows))]
    assert 0.15 < np.mean(grey) < 0.35
