"""Pictures in a device's memory: the CPU stands in for the GPU, with the same code."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imageprocess.data.equalise import equalise
from imageprocess.data.index import read_index
from imageprocess.errors import UsageError
from imageprocess.model.preprocess import resize
from imageprocess.train import loop
from imageprocess.train.loop import Progress, train
from imageprocess.train.nets import CNN_INPUT
from imageprocess.train.on_device import OnDevice
from imageprocess.train.recipes import RECIPES, on_device
from imageprocess.train.store import STORE, decoded, keep_prepared, read_prepared


def loaded(data: Path, **shares: float) -> OnDevice:
    rows = [row for row in read_index(data) if row.split == "train"]
    pictures = OnDevice(data, rows, CNN_INPUT, **shares)
    pictures.load(torch.device("cpu"), jobs=2, progress=lambda done, of: None)
    return pictures


@pytest.fixture(scope="module")
def pictures(drawn_data: Path) -> OnDevice:
    return loaded(drawn_data)


def test_batches_have_every_picture_of_the_order(pictures: OnDevice) -> None:
    order = [5, 0, 3, 3, 7]
    shown = list(pictures.batches(order, 2))
    assert [tuple(pixels.shape) for pixels, _ in shown] == [
        (2, 224, 224, 3),
        (2, 224, 224, 3),
        (1, 224, 224, 3),
    ]
    assert all(pixels.dtype == torch.uint8 for pixels, _ in shown)
    labels = torch.cat([labels for _, labels in shown])
    assert labels.tolist() == [0 if pictures.rows[i].label == "ai" else 1 for i in order]


def test_no_picture_is_shown_twice_alike_and_all_follows_from_seed_and_place(pictures: OnDevice) -> None:
    order = [0, 1, 0, 1, 0, 1]
    pictures.set_epoch(0)
    first = [pixels for pixels, _ in pictures.batches(order, 2)]
    assert not torch.equal(first[0], first[1])
    # A run that goes on from its third batch is shown what it would have been shown.
    again = [pixels for pixels, _ in pictures.batches(order[4:], 2, first=2)]
    assert torch.equal(first[2], again[0])
    pictures.set_epoch(1)
    assert not torch.equal(first[0], next(pictures.batches(order, 2))[0])
    pictures.set_epoch(0)
    assert not torch.equal(first[0], next(pictures.batches(order, 2, process=1))[0])


def test_they_look_as_the_store_delivers_them(drawn_data: Path, pictures: OnDevice) -> None:
    """The same spread of levels and of what JPEG leaves of noise, by the picture."""
    for index in (0, 3):  # noise, and a ramp
        row = pictures.rows[index]
        pixels = decoded(drawn_data, row)
        stored = np.stack([resize(equalise(pixels, seed).pixels, CNN_INPUT) for seed in range(40)]).astype(
            float
        )
        torch.manual_seed(0)
        shown = (
            torch.cat([p for epoch in range(40) for p in batch_of(pictures, index, epoch)])
            .numpy()
            .astype(float)
        )
        for of in (np.mean, lambda a: np.abs(np.diff(a, axis=2)).mean()):
            assert of(shown) == pytest.approx(of(stored), rel=0.25, abs=2)


def batch_of(pictures: OnDevice, index: int, epoch: int) -> list[torch.Tensor]:
    pictures.set_epoch(epoch)
    return [pixels for pixels, _ in pictures.batches([index], 1)]


def test_shares_of_them_are_grey_and_on_pages(drawn_data: Path) -> None:
    rows = [0, 1, 2, 3] * 8
    grey = next(loaded(drawn_data, grey_share=0.5).batches(rows, 32))[0]
    share = (grey[..., 0] == grey[..., 2]).all(2).all(1).float().mean()
    plain = next(loaded(drawn_data).batches(rows, 32))[0]
    assert share - (plain[..., 0] == plain[..., 2]).all(2).all(1).float().mean() > 0.05
    paged = next(loaded(drawn_data, page_share=1.0).batches(rows, 32))[0].float()
    corners = paged[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    # Plain paper in at least one corner of each.
    assert ((corners < 60) | (corners >= 200)).all(2).any(1).float().mean() > 0.9


def test_a_prepared_picture_is_kept_as_one_kind_of_file(copied: Path) -> None:
    rows = [row for row in read_index(copied) if row.split == "train"]
    keep_prepared(copied, rows, jobs=1, progress=lambda done, of: None)
    kept = sorted((copied / STORE).glob("*/*.prepared"))
    assert len(kept) == len(rows)
    assert all(path.read_bytes()[8:12] == b"WEBP" for path in kept)
    pixels = read_prepared(copied, rows[0])
    assert pixels.shape == decoded(copied, rows[0]).shape
    kept[0].unlink()
    np.testing.assert_array_equal(read_prepared(copied, rows[0]), pixels)


@pytest.mark.parametrize(
    ("net", "said"), [("cnn", "has a shift"), ("gaze", "has a window"), ("small32", "as they are")]
)
def test_a_recipe_that_only_the_readers_know_is_refused(net: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        on_device(RECIPES[net])


@pytest.fixture
def copied(drawn_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn_data, tmp_path / "data", ignore=shutil.ignore_patterns(STORE)))


def test_an_interrupted_run_with_nothing_but_index_and_shards_comes_to_the_same(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of the second epoch, and once more while its held-out pictures are looked at."""
    recipe = replace(
        on_device(RECIPES["look"]), net="glance", epochs=2, passes=2, batch_size=8, warmup_steps=2, averaging=0.5,
        precision="32-true",
    )  # fmt: skip
    result = train(copied, tmp_path / "whole", recipe, packed=True)
    losses = [row["train_loss"] for row in result.log]
    assert losses[1] < losses[0]

    def stop(at: Progress) -> None:
        if (at.epoch, at.step) == (1, 2):
            raise KeyboardInterrupt

    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(copied / STORE / "shards", elsewhere / STORE / "shards")
    shutil.copy(copied / "index.csv", elsewhere)
    with pytest.raises(KeyboardInterrupt):
        train(elsewhere, tmp_path / "cut", recipe, report=stop)

    def stop_at_validation(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "predict", stop_at_validation)
        train(elsewhere, tmp_path / "cut", recipe, resume=True)
    resumed = train(elsewhere, tmp_path / "cut", recipe, resume=True)
    assert [row["train_loss"] for row in resumed.log] == losses
    np.testing.assert_array_equal(resumed.val_logits, result.val_logits)
