from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imageprocess.data.index import IndexRow, data_id, read_index
from imageprocess.errors import DataError
from imageprocess.train.dataset import source_folds
from imageprocess.train.fakes import KINDS, Autoencoder, Kind, folds_of_fakes, make_fakes, read_fakes
from imageprocess.train.loop import train
from imageprocess.train.nets import Glance
from imageprocess.train.recipes import Recipe
from imageprocess.train.twins import read_twins


@pytest.fixture(scope="module")
def folder(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fakes") / "set"
    shutil.copytree(drawn_data, folder)
    make_fakes(folder, count=6, steps=30, kinds=KINDS[:2], jobs=1)
    return folder


def training(folder: Path) -> list[IndexRow]:
    return [row for row in read_index(folder) if row.split == "train"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_gives_a_picture_of_the_same_size(kind: Kind) -> None:
    pixels = torch.rand(1, 3, 40, 56) * 2 - 1
    assert Autoencoder(kind)(pixels).shape == pixels.shape


def test_a_fake_is_its_real_twin_remade(folder: Path) -> None:
    reals = {row.sha256[:20]: row for row in read_index(folder)}
    fakes = read_fakes(folder, training(folder))
    assert len(fakes) == 6 and {row.source for row in fakes} == {"own_nearest_4x", "own_nearest_8x"}
    for fake in fakes:
        real = reals[Path(fake.path).stem]
        assert (real.label, real.split) == ("real", "train") and (fake.label, fake.split) == ("ai", "train")
        assert (fake.width, fake.height, fake.group) == (real.width, real.height, real.group)
        with Image.open(folder / fake.path) as remade, Image.open(folder / real.path) as original:
            before, after = (np.asarray(image, dtype=float) for image in (original, remade))
        # Like the picture, after so few steps, and not it.
        assert 0.5 < np.corrcoef(before.ravel(), after.ravel())[0, 1] < 0.9999, fake.path


def test_what_is_done_is_not_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "fakes").rglob("*.png")}
    told: list[str] = []
    again = make_fakes(
        folder, count=6, steps=30, kinds=KINDS[:2], jobs=1, progress=lambda what, done, of: told.append(what)
    )
    assert again == read_fakes(folder, training(folder)) and not told
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "fakes").rglob("*.png")}


def test_training_sees_them_where_the_recipe_says_so(folder: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, batch_size=8, warmup_steps=1, precision="32-true")
    result = train(folder, tmp_path, replace(recipe, fakes=True), workers=0)
    assert result.images["train"] == 6 + sum(row.split == "train" for row in read_index(folder))
    assert result.data_id == data_id([*read_index(folder), *read_fakes(folder, training(folder))])


def test_a_twin_that_has_not_seen_a_picture_has_not_seen_its_fake(folder: Path, tmp_path: Path) -> None:
    rows = training(folder)
    fakes = read_fakes(folder, rows)
    folds = source_folds(rows, 2, seed=0)
    of_fakes = folds_of_fakes(fakes, rows, folds)
    assert set(of_fakes) == {1, 2}
    for fake, fold in zip(fakes, of_fakes, strict=True):
        assert fold in {folds[place] for place, row in enumerate(rows) if row.group == fake.group}
    recipe = Recipe(net="glance", epochs=1, batch_size=8, deliveries=1, folds=2, fakes=True)
    train(folder, tmp_path, recipe, workers=0)
    unseen = frozenset[str]().union(*(twin.unseen for twin in read_twins(tmp_path, Glance)))
    assert unseen == {row.source for row in rows}  # what a blend, which knows no fakes, will ask for


def test_a_fake_of_a_picture_that_is_not_trained_on_is_left_out(folder: Path) -> None:
    rows = training(folder)
    (real, *_) = [
        row for row in rows if any(Path(fake.path).stem in row.sha256 for fake in read_fakes(folder, rows))
    ]
    fewer = read_fakes(folder, [row for row in rows if row != real])
    assert len(fewer) == 5 and not any(Path(fake.path).stem in real.sha256 for fake in fewer)
    (moved,) = read_fakes(folder, [replace(real, group="g of another build")])
    assert moved.group == "g of another build"
    with pytest.raises(DataError, match="make them anew"):
        read_fakes(folder, [])


def test_those_of_other_steps_lie_elsewhere(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "set")
    make_fakes(tmp_path / "set", count=6, steps=2, kinds=KINDS[:1], jobs=1)
    again = make_fakes(tmp_path / "set", count=6, steps=30, kinds=KINDS[:2], jobs=1)
    for fake in again:
        assert hashlib.sha256((tmp_path / "set" / fake.path).read_bytes()).hexdigest() == fake.sha256


def test_without_them_or_without_enough_real_pictures_it_says_what_to_do(
    drawn_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="imageprocess data fakes"):
        train(drawn_data, tmp_path, Recipe(epochs=1, fakes=True), workers=0)
    with pytest.raises(DataError, match="real pictures"):
        make_fakes(drawn_data, count=1000)
