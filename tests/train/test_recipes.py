from __future__ import annotations

from dataclasses import replace

import pytest

from imageprocess.errors import UsageError
from imageprocess.train.recipes import NETS, RECIPES, Recipe, recipe_of

STEPS = 50
RECIPE = Recipe(epochs=4, learning_rate=1e-3, warmup_steps=10)


def rates(recipe: Recipe) -> list[float]:
    return [recipe.learning_rate_at(position, STEPS) for position in range(recipe.epochs * STEPS)]


def test_learning_rate_warms_up_and_decays_to_zero() -> None:
    values = rates(RECIPE)
    peak = values.index(max(values))
    assert 0 < values[0] < max(values) <= RECIPE.learning_rate and peak < 20
    assert values[:peak] == sorted(values[:peak]) and values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] < 1e-4 * max(values)


def test_learning_rate_repeats_after_restart() -> None:
    """Before the restart the schedule is that of a shorter run."""
    again = replace(RECIPE, epochs=10, restart=4)
    longer = replace(RECIPE, epochs=6)
    assert rates(again) == rates(RECIPE) + rates(longer)


@pytest.mark.parametrize("restart", [4, 10])
def test_learning_rate_of_a_shortened_run_decays_to_zero(restart: int) -> None:
    assert rates(replace(RECIPE, restart=restart)) == rates(RECIPE)


@pytest.mark.parametrize("net", ["resnet", ""])
def test_unknown_network_is_rejected(net: str) -> None:
    with pytest.raises(UsageError, match=rf"--net {net}: unknown network, choose one of cnn, small32"):
        recipe_of(net)
    assert all(recipe.net == name for name, recipe in RECIPES.items()) and RECIPES.keys() == NETS.keys()


def test_the_stored_recipe_keeps_the_keys_of_earlier_checkpoints() -> None:
    stored = Recipe(degraded_copies=7).to_dict()
    assert stored["deliveries"] == 7 and "degraded_copies" not in stored
