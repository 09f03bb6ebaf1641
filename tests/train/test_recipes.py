from __future__ import annotations

from dataclasses import replace

import pytest

from imageprocess.errors import UsageError
from imageprocess.train.recipes import NETS, RECIPES, Recipe, recipe_of

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


@pytest.mark.parametrize("net", ["sponge", "look"])
def test_an_unknown_network_is_refused(net: str) -> None:
    with pytest.raises(UsageError, match=rf"--net {net}: unknown network, choose one of cnn, small32"):
        recipe_of(net)
    assert all(recipe.net == name for name, recipe in RECIPES.items()) and RECIPES.keys() == NETS.keys()
