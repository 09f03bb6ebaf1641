"""Twins learn from a network's batches, but nothing of the sources that they are to be asked about."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imageprocess.data.index import read_index
from imageprocess.errors import UsageError
from imageprocess.train import blend
from imageprocess.train.blend import BlendRecipe, train_blend
from imageprocess.train.dataset import source_folds
from imageprocess.train.forest import Growth
from imageprocess.train.loop import TrainResult, train
from imageprocess.train.nets import Glance
from imageprocess.train.recipes import Recipe
from imageprocess.train.store import STORE, delivery_path
from imageprocess.train.twins import read_twins

# One epoch, so that it is the best one, whatever the network itself makes of its pictures.
RECIPE = Recipe(
    net="glance", epochs=1, batch_size=8, deliveries=1, folds=2, mixup=0.4, mixed_share=0.5, averaging=0.5
)


@pytest.fixture(scope="module")
def trained(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, TrainResult]:
    # Without what is prepared: another test may have packed it, and what is packed is read first.
    left = shutil.ignore_patterns(STORE)
    data = Path(shutil.copytree(drawn_data, tmp_path_factory.mktemp("twins") / "data", ignore=left))
    return data, data.with_name("run"), train(data, data.with_name("run"), RECIPE, workers=0)


def test_each_source_is_unseen_by_one_of_them(trained: tuple[Path, Path, TrainResult]) -> None:
    data, out, _ = trained
    sources = {row.source for row in read_index(data) if row.split == "train"}
    first, second = (twin.unseen for twin in read_twins(out, Glance))
    assert first | second == sources
    assert first and second and not first & second


def test_a_twin_is_not_changed_by_a_picture_that_it_must_not_see(
    trained: tuple[Path, Path, TrainResult],
) -> None:
    data, out, result = trained
    rows = [row for row in read_index(data) if row.split == "train"]
    before = read_twins(out, Glance)
    changed = next(row for row in rows if row.source in before[0].unseen)
    other = next(row for row in rows if row.label != changed.label)
    delivery_path(data, changed, 1).write_bytes(delivery_path(data, other, 1).read_bytes())
    again = train(data, out.with_name("again"), RECIPE, workers=0)
    blind, seeing = (
        same(old.network, new.network)
        for old, new in zip(before, read_twins(out.with_name("again"), Glance), strict=True)
    )
    assert blind
    assert not seeing
    assert not same(result.network, again.network)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))


def test_the_network_itself_learns_as_it_would_without_twins(
    trained: tuple[Path, Path, TrainResult], drawn_data: Path, tmp_path: Path
) -> None:
    alone = train(drawn_data, tmp_path / "alone", replace(RECIPE, folds=0, mixup=0.0), workers=0)
    beside = train(drawn_data, tmp_path / "beside", replace(RECIPE, mixup=0.0), workers=0)
    assert beside.log[0]["train_loss"] == pytest.approx(alone.log[0]["train_loss"], rel=0.2)
    assert not read_twins(tmp_path / "alone", Glance)


def test_a_blend_asks_them_instead_of_training_anew(
    trained: tuple[Path, Path, TrainResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out, result = trained
    monkeypatch.delattr(blend, "train")
    recipe = BlendRecipe(
        deliveries=1, growth=Growth(trees=10, least=2, columns=0.2), folds=2, blind=(RECIPE,)
    )
    twins = read_twins(out, Glance)
    blended = train_blend(data, tmp_path, [result.network], recipe, twins=[twins], workers=0)
    assert 0 <= blended.measured["unseen_sources_auroc_glance"] <= 1
    assert blended.calibration.fitted_on.endswith("unseen by every member")
    with pytest.raises(UsageError, match="other folds of sources"):
        train_blend(data, tmp_path, [result.network], replace(recipe, folds=3), twins=[twins], workers=0)


def test_folds_hold_every_source_once(drawn_data: Path) -> None:
    rows = read_index(drawn_data)
    folds = source_folds(rows, 3, seed=0)
    assert set(folds) == {1, 2, 3}
    for source in {row.source for row in rows}:
        assert len({fold for fold, row in zip(folds, rows, strict=True) if row.source == source}) == 1
    assert (folds == source_folds(rows, 3, seed=0)).all()
    assert np.any(folds != source_folds(rows, 3, seed=1))


def test_folds_share_what_a_class_shows(drawn_data: Path) -> None:
    """Real faces of two large sources, and of two small ones: none is to have both of the large."""
    first = read_index(drawn_data)[0]
    sizes = {"face": (40, 38, 4, 3), "web photo": (50, 45, 40, 35), "art: painting": (20, 10, 10, 5)}
    rows = [
        replace(first, label=label, category=category, source=f"{label} {category} {number}")
        for label in ("ai", "real")
        for category, counts in sizes.items()
        for number, count in enumerate(counts)
        for _ in range(count)
    ]
    for seed in range(5):
        of_source = {
            row.source: fold for row, fold in zip(rows, source_folds(rows, 4, seed=seed), strict=True)
        }
        for label in ("ai", "real"):
            for category in sizes:
                assert of_source[f"{label} {category} 0"] != of_source[f"{label} {category} 1"]


def test_they_need_one_device(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="on one device"):
        train(drawn_data, tmp_path, RECIPE, devices=2)
