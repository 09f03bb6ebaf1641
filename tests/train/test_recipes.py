from __future__ import annotations

from dataclasses import replace

import pytest

from imageprocess.errors import UsageError
from imageprocess.train.recipes import RECIPES, Recipe, recipe_of

STEPS = 50
RECIPE = Recipe(epochs=4, learning_rate=1e-3, warmup_steps=10)


def rates(recipe: Recipe) -> list[float]:
    return [recipe.learning_rate_at(position, STEPS) for position in range(recipe.epochs * STEPS)]


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    found = rates(RECIPE)
    top = found.index(max(found))
    assert 0 < found[0] < max(found) <= RECIPE.learning_rate and top < 20
    assert found[:top] == sorted(found[:top]) and found[top:] == sorted(found[top:], reverse=True)
    assert found[-1] < 1e-4 * max(found)


def test_after_a_restart_it_does_so_again() -> None:
    """And a run that is to go on has begun like one that is not."""
    again = replace(RECIPE, epochs=10, restart=4)
    longer = replace(RECIPE, epochs=6)
    assert rates(again) == rates(RECIPE) + rates(longer)


@pytest.mark.parametrize("restart", [4, 10])
def test_a_run_that_is_cut_shorter_falls_to_nothing_all_the_same(restart: int) -> None:
    assert rates(replace(RECIPE, restart=restart)) == rates(RECIPE)


def test_a_run_of_another_length_sees_small_pictures_for_as_large_a_share() -> None:
    look = RECIPES["look"]
    assert 0 < look.small_epochs < look.epochs
    for epochs in (1, 2, 12, 80):
        small = look.lasting(epochs).small_epochs
        assert abs(small / epochs - look.small_epochs / look.epochs) <= 0.5 / epochs
    assert look.lasting(look.epochs) == look


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(UsageError, match=r"sponge: not a network .*cnn, glance"):
        recipe_of("sponge")
    assert all(recipe.net == name for name, recipe in RECIPES.items())
