"""Metrics against values worked out by hand, and intervals against what sampling theory says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics

from imageprocess.evaluate.metrics import (
    Scored,
    balance_classes,
    confusion,
    draws,
    expected_calibration_error,
    measure,
    measure_with_intervals,
    reliability,
    source_weights,
)
from imageprocess.types import Thresholds

CUTS = {"balanced": Thresholds(ai=0.8, real=0.2), "best-guess": Thresholds(ai=0.5, real=0.5)}


def scored(is_ai: list[int], scores: list[float], sources: list[str] | None = None) -> Scored:
    return Scored(np.array(is_ai, bool), np.array(scores), np.array(sources or ["one"] * len(is_ai)))


def plain(answers: Scored) -> dict[str, float]:
    return measure(answers.is_ai, answers.scores, np.ones(len(answers.scores)), CUTS)


def test_every_metric_of_a_small_case_is_what_one_counts_by_hand():
    found = plain(scored([1, 1, 1, 1, 0, 0], [0.9, 0.85, 0.6, 0.1, 0.7, 0.05]))
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found["auroc"] == pytest.approx(6 / 8)  # pairs in the right order
    assert found["tpr_at_1_fpr"] == pytest.approx(2 / 4)
    assert found["fpr@balanced"] == 0
    assert found["tpr@balanced"] == pytest.approx(2 / 4)
    assert found["coverage@balanced"] == pytest.approx(4 / 6)  # .9 .85 ai, .1 .05 real
    assert found["error@balanced"] == pytest.approx(1 / 4)
    assert found["fpr@best-guess"] == pytest.approx(1 / 2)
    assert found["coverage@best-guess"] == 1
    assert found["brier"] == pytest.approx(
        (np.mean([0.01, 0.0225, 0.16, 0.81]) + np.mean([0.49, 0.0025])) / 2
    )


def test_of_a_picture_too_small_a_mode_that_abstains_says_nothing():
    """Rights and wrongs at the thresholds are of those told; what looks at the scores alone is of all."""
    answers = scored([1, 1, 0, 0, 0], [0.9, 0.9, 0.9, 0.1, 0.1])
    small = replace(answers, too_small=np.array([0, 1, 1, 1, 0], bool))
    found = measure_with_intervals(small, CUTS, resamples=5).values
    assert found["tpr@balanced"] == 1 / 2 and found["fpr@balanced"] == 0
    assert found["coverage@balanced"] == 2 / 5 and found["error@balanced"] == 0
    changed = {name for name, value in plain(answers).items() if found[name] != pytest.approx(value)}
    assert changed == {"tpr@balanced", "fpr@balanced", "coverage@balanced", "error@balanced"}
    tables = confusion(small, CUTS)
    assert tables["balanced"]["real"] == {"ai": 0, "unsure": 2, "real": 1}
    assert tables["best-guess"] == confusion(answers, CUTS)["best-guess"]
    assert small.where(small.is_ai).too_small.tolist() == [False, True]


def test_a_perfect_and_a_reversed_detector():
    assert plain(scored([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]))["auroc"] == 1
    assert plain(scored([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]))["balanced_accuracy"] == 0


def test_scores_of_any_kind_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    is_ai, weights = rng.random(500) < 0.3, rng.integers(0, 4, 500).astype(float)
    scores = np.round(np.clip(0.3 * is_ai + rng.normal(0.4, 0.2, 500), 0, 1), 2)  # with ties
    found = measure(is_ai, scores, weights, CUTS)
    given = {"sample_weight": weights}
    assert found["auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(is_ai, scores, **given))
    assert found["ap"] == pytest.approx(sklearn.metrics.average_precision_score(is_ai, scores, **given))
    alike = {"sample_weight": balance_classes(is_ai, weights)}
    assert found["brier"] == pytest.approx(sklearn.metrics.brier_score_loss(is_ai, scores, **alike))
    says_ai = scores >= 0.5
    assert found["balanced_accuracy"] == pytest.approx(
        sklearn.metrics.balanced_accuracy_score(is_ai, says_ai, **given)
    )
    assert found["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(is_ai, says_ai, **given))


def test_a_score_at_the_threshold_is_ai():
    assert plain(scored([1, 0], [0.5, 0.4]))["tpr@best-guess"] == 1


def test_calibration_error_is_zero_when_what_is_said_is_so():
    """Half AI, half real, .9 said of 9 in 10 AI pictures and of 1 in 10 real ones."""
    is_ai, scores = np.repeat([True, False], 10), np.repeat([0.9, 0.1, 0.9, 0.1], [9, 1, 1, 9])
    assert expected_calibration_error(is_ai, scores, np.ones(20)) == pytest.approx(0)
    assert expected_calibration_error(is_ai, np.full(20, 0.9), np.ones(20)) == pytest.approx(0.4)


def test_calibration_is_measured_for_half_ai_half_real_whatever_the_mix():
    """Scores that are so for half and half, three of a class to one of the other, weighed at random."""
    rng = np.random.default_rng(2)
    scores = rng.random(80_000)
    is_ai = rng.random(80_000) < scores
    for rarer in (is_ai, ~is_ai):
        mix = ~rarer | (np.cumsum(rarer) % 3 == 0)
        weights = rng.integers(1, 3, mix.sum()).astype(float)
        found = measure(is_ai[mix], scores[mix], weights, CUTS)
        assert found["ece"] < 0.02
        assert found["brier"] == pytest.approx(1 / 6, abs=0.005)  # the mean of p (1 - p)
        said, so, mass = reliability(is_ai[mix], scores[mix], weights)
        assert so == pytest.approx(said, abs=0.04) and mass.sum() == pytest.approx(1)


def test_weights_count_as_repeated_pictures():
    once = scored([1, 1, 0, 0, 0], [0.9, 0.4, 0.6, 0.2, 0.1])
    weights = np.array([3.0, 1.0, 2.0, 1.0, 0.0])
    repeated = np.repeat(np.arange(5), weights.astype(int))
    expected = plain(once.where(repeated))  # where() takes indices as well as masks
    found = measure(once.is_ai, once.scores, weights, CUTS)
    assert found == pytest.approx(expected, nan_ok=True)


def test_a_large_source_does_not_outweigh_a_small_one_by_source():
    """99 right pictures of one source and 1 wrong of another: half right, when sources count the same."""
    answers = scored(
        [1] * 100 + [0] * 2, [0.9] * 99 + [0.1] + [0.1] * 2, ["big"] * 99 + ["small"] + ["r1", "r2"]
    )
    by_source = measure_with_intervals(answers, CUTS, resamples=0, by_source=True)
    assert by_source.values["tpr@best-guess"] == pytest.approx(0.5)
    assert measure_with_intervals(answers, CUTS, resamples=0).values["tpr@best-guess"] == pytest.approx(0.99)


def test_source_weights_keep_each_class_its_size():
    answers = scored([1, 1, 1, 0, 0], [0.5] * 5, ["a", "a", "b", "c", "c"])
    weights = source_weights(answers)
    assert weights.tolist() == [0.75, 0.75, 1.5, 1.0, 1.0]


def test_draws_keep_both_classes_and_repeat():
    answers = scored([1, 1, 1, 0, 0, 0, 0], [0.5] * 7, ["a", "a", "b", "c", "c", "d", "d"])
    first, again = list(draws(answers, 20)), list(draws(answers, 20))
    for counts, same in zip(first, again, strict=True):
        assert (counts == same).all()
        assert counts[:3].sum() > 0 and counts[3:].sum() > 0
    assert any(counts[2] == 0 for counts in first) and any(counts[:2].sum() == 0 for counts in first)


def test_one_source_of_each_class_still_resamples_its_pictures():
    answers = scored([1] * 50 + [0] * 50, [0.9] * 40 + [0.1] * 60, ["both"] * 100)
    low, high = measure_with_intervals(answers, CUTS, resamples=300).intervals["accuracy"]
    assert 0.8 < low < 0.9 < high < 0.97  # 40 of 50 and 50 of 50


def test_intervals_are_wider_when_pictures_come_in_sources():
    """Whole sources right or wrong: 10 sources tell far less than 1,000 independent pictures."""
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(20) < 0.8, 50)
    is_ai = np.arange(1000) < 500
    scores = np.where(right == is_ai, 0.9, 0.1)
    sources = np.repeat([f"s{i}" for i in range(20)], 50)
    grouped = measure_with_intervals(Scored(is_ai, scores, sources), CUTS, resamples=300)
    alone = measure_with_intervals(
        Scored(is_ai, scores, np.array([f"p{i}" for i in range(1000)])), CUTS, resamples=300
    )

    def width(measured):
        low, high = measured.intervals["accuracy"]
        return high - low

    assert width(grouped) > 3 * width(alone)
    expected = 2 * 1.96 * (0.8 * 0.2 / 1000) ** 0.5  # of a binomial share
    assert width(alone) == pytest.approx(expected, rel=0.35)


def test_the_interval_of_the_calibration_error_holds_the_error_itself():
    """Perfectly calibrated answers from few sources: every draw looks worse than the whole does."""
    rng = np.random.default_rng(1)
    scores = rng.random(2000)
    answers = Scored(rng.random(2000) < scores, scores, np.array([f"s{i % 7}" for i in range(2000)]))
    found = measure_with_intervals(answers, CUTS, resamples=100)
    low, high = found.intervals["ece"]
    assert 0 <= low <= found.values["ece"] <= high


def test_a_metric_without_a_value_is_left_out():
    """Nobody is answered in `balanced` when every score lies between the thresholds."""
    found = measure_with_intervals(scored([1, 0], [0.5, 0.5]), CUTS, resamples=5)
    assert "error@balanced" not in found.values and "error@balanced" not in found.intervals
    assert found.values["coverage@balanced"] == 0
