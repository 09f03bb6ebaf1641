"""Folds keep sources, repositories and near-duplicates whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from imageprocess.data.folds import (
    choose_folds,
    duplicate_group_folds,
    family_folds,
    repository_folds,
    stratified_source_folds,
)
from imageprocess.data.index import IndexRow
from imageprocess.errors import DataError


@dataclass(frozen=True)
class Labels:
    is_ai: NDArray[np.bool_]
    source: NDArray[np.str_]
    category: NDArray[np.str_]
    group: NDArray[np.str_]


def _labels() -> Labels:
    """20 sources of 20 images, ten of each class, in two categories; groups of two."""
    return Labels(
        is_ai=np.repeat(np.arange(20) % 2 == 0, 20),
        source=np.repeat([f"s{number}" for number in range(20)], 20),
        category=np.repeat(["photo" if number < 10 else "art" for number in range(20)], 20),
        group=np.array([f"g{number // 2}" for number in range(400)]),
    )


def test_sources_and_repositories_are_whole_and_classes_spread() -> None:
    data = _labels()
    folds = repository_folds(data, {"s0": "one/repo", "s2": "one/repo"}, 4)
    assert all(len(set(folds[data.source == name])) == 1 for name in np.unique(data.source))
    assert folds[data.source == "s0"][0] == folds[data.source == "s2"][0]
    assert all(set(data.is_ai[folds == fold]) == {True, False} for fold in range(4))


def test_a_class_of_few_sources_has_folds_of_duplicate_groups() -> None:
    data = _labels()
    folds, unit = choose_folds(data, {}, 4)
    assert unit == "sources" and np.array_equal(folds, repository_folds(data, {}, 4))
    imported = replace(data, source=np.repeat("mine", 400))
    folds, unit = choose_folds(imported, {}, 4)
    assert unit == "pictures" and np.array_equal(folds, duplicate_group_folds(imported, 4))
    assert all(len(set(folds[data.group == name])) == 1 for name in np.unique(data.group))
    assert all(set(data.is_ai[folds == fold]) == {True, False} for fold in range(4))


def test_family_folds_spread_each_family() -> None:
    data = _labels()
    family = np.repeat(np.arange(20) // 10, 20)
    folds = family_folds(data.source, family, {"s3": "one/repo", "s4": "one/repo"}, 4)
    assert all(len(set(folds[data.source == name])) == 1 for name in np.unique(data.source))
    assert folds[data.source == "s3"][0] == folds[data.source == "s4"][0]
    assert all(set(folds[family == number]) == {0, 1, 2, 3} for number in (0, 1))


def _rows(sources: int) -> list[IndexRow]:
    return [
        IndexRow(
            f"{source}-{number}.png", "ai" if source % 2 else "real", f"s{source}", "", "photo", "", "0" * 64, 1, 9,
            9, "PNG", None, "train", "g",
        )
        for source in range(sources) for number in range(5)
    ]  # fmt: skip


def test_stratified_folds_start_at_one_and_have_both_classes() -> None:
    rows = _rows(12)
    folds = stratified_source_folds(rows, 3, seed=0)
    assert set(folds) == {1, 2, 3}
    for fold in (1, 2, 3):
        assert {row.label for row, of_row in zip(rows, folds, strict=True) if of_row == fold} == {
            "ai",
            "real",
        }
    by_source = {(row.source, fold) for row, fold in zip(rows, folds.tolist(), strict=True)}
    assert len(by_source) == 12


def test_stratified_folds_need_as_many_sources_of_each_class() -> None:
    with pytest.raises(DataError, match="at least 3 sources of each class"):
        stratified_source_folds(_rows(4), 3, seed=0)
