"""Groups never lie in two splits, and every source is divided 80/10/10 as nearly as they allow."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageprocess.data.splits import assign_splits


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), max_size=200), st.integers(0, 3))
def test_groups_are_never_split(pictures: list[tuple[int, str]], seed: int) -> None:
    groups = [str(group) for group, _ in pictures]
    splits = assign_splits(groups, [stratum for _, stratum in pictures], seed)
    assert len(splits) == len(pictures)
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))


@pytest.mark.parametrize(("count", "expected"), [
    (1, {"train": 1}), (10, {"train": 8, "val": 1, "test": 1}), (30, {"train": 24, "val": 3, "test": 3}),
    (1000, {"train": 800, "val": 100, "test": 100}),
])  # fmt: skip
def test_ungrouped_images_are_split_exactly(count: int, expected: dict[str, int]) -> None:
    assert Counter(assign_splits([str(i) for i in range(count)], ["one"] * count)) == expected


def test_each_source_is_split_separately() -> None:
    strata = ["large"] * 500 + ["small"] * 20
    splits = assign_splits([str(i) for i in range(520)], strata)
    assert Counter(splits[500:]) == {"train": 16, "val": 2, "test": 2}


def test_large_group_is_in_training_and_the_rest_compensates() -> None:
    splits = assign_splits(["burst"] * 80 + [str(i) for i in range(20)], ["one"] * 100)
    assert set(splits[:80]) == {"train"}
    assert Counter(splits) == {"train": 80, "val": 10, "test": 10}


def test_source_of_one_group_is_in_training() -> None:
    assert set(assign_splits(["g"] * 40, ["one"] * 40)) == {"train"}


def test_split_depends_only_on_the_seed() -> None:
    groups, strata = [str(i) for i in range(100)], ["one"] * 100
    assert assign_splits(groups, strata, 1) == assign_splits(groups, strata, 1)
    assert assign_splits(groups, strata, 1) != assign_splits(groups, strata, 2)
    backwards = assign_splits(groups[::-1], strata, 1)[::-1]
    assert backwards == assign_splits(groups, strata, 1), "the order of the pictures does not matter"
