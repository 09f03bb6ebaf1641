"""Metrics against hand-computed values, and intervals against sampling theory."""

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


def test_metrics_match_hand_computed_case():
    actual = plain(scored([1, 1, 1, 1, 0, 0], [0.9, 0.85, 0.6, 0.1, 0.7, 0.05]))
    assert actual["accuracy"] == pytest.approx(4 / 6)
    assert actual["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert actual["auroc"] == pytest.approx(6 / 8)  # pairs in the right order
    assert actual["tpr_at_1_fpr"] == pytest.approx(2 / 4)
    assert actual["fpr@balanced"] == 0
    assert actual["tpr@balanced"] == pytest.approx(2 / 4)
    assert actual["coverage@balanced"] == pytest.approx(4 / 6)  # .9 .85 ai, .1 .05 real
    assert actual["error@balanced"] == pytest.approx(1 / 4)
    assert actual["fpr@best-guess"] == pytest.approx(1 / 2)
    assert actual["coverage@best-guess"] == 1
    assert actual["brier"] == pytest.approx(
        (np.mean([0.01, 0.0225, 0.16, 0.81]) + np.mean([0.49, 0.0025])) / 2
    )


def test_too_small_image_is_abstention():
    """Threshold metrics count answered images only; threshold-free metrics count all."""
    answers = scored([1, 1, 0, 0, 0], [0.9, 0.9, 0.9, 0.1, 0.1])
    small = replace(answers, too_small=np.array([0, 1, 1, 1, 0], bool))
    actual = measure_with_intervals(small, CUTS, resamples=5).values
    assert actual["tpr@balanced"] == 1 / 2 and actual["fpr@balanced"] == 0
    assert actual["coverage@balanced"] == 2 / 5 and actual["error@balanced"] == 0
    changed = {name for name, value in plain(answers).items() if actual[name] != pytest.approx(value)}
    assert changed == {"tpr@balanced", "fpr@balanced", "coverage@balanced", "error@balanced"}
    tables = confusion(small, CUTS)
    assert tables["balanced"]["real"] == {"ai": 0, "unsure": 2, "real": 1}
    assert tables["best-guess"] == confusion(answers, CUTS)["best-guess"]
    assert small.where(small.is_ai).too_small.tolist() == [False, True]


def test_perfect_and_inverted_detector():
    assert plain(scored([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]))["auroc"] == 1
    assert plain(scored([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]))["balanced_accuracy"] == 0


def test_metrics_match_scikit_learn():
    rng = np.random.default_rng(3)
    is_ai, weights = rng.random(500) < 0.3, rng.integers(0, 4, 500).astype(float)
    scores = np.round(np.clip(0.3 * is_ai + rng.normal(0.4, 0.2, 500), 0, 1), 2)  # with ties
    actual = measure(is_ai, scores, weights, CUTS)
    options = {"sample_weight": weights}
    assert actual["auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(is_ai, scores, **options))
    assert actual["ap"] == pytest.approx(sklearn.metrics.average_precision_score(is_ai, scores, **options))
    alike = {"sample_weight": balance_classes(is_ai, weights)}
    assert actual["brier"] == pytest.approx(sklearn.metrics.brier_score_loss(is_ai, scores, **alike))
    says_ai = scores >= 0.5
    assert actual["balanced_accuracy"] == pytest.approx(
        sklearn.metrics.balanced_accuracy_score(is_ai, says_ai, **options)
    )
    assert actual["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(is_ai, says_ai, **options))


def test_score_at_threshold_is_ai():
    assert plain(scored([1, 0], [0.5, 0.4]))["tpr@best-guess"] == 1


def test_calibration_error_is_zero_for_calibrated_scores():
    """Half AI, half real; score .9 for 9 of 10 AI images and for 1 of 10 real ones."""
    is_ai, scores = np.repeat([True, False], 10), np.repeat([0.9, 0.1, 0.9, 0.1], [9, 1, 1, 9])
    assert expected_calibration_error(is_ai, scores, np.ones(20)) == pytest.approx(0)
    assert expected_calibration_error(is_ai, np.full(20, 0.9), np.ones(20)) == pytest.approx(0.4)


def test_calibration_error_is_independent_of_class_balance():
    """Scores calibrated for equal classes, with a class ratio of 3 to 1 and random weights."""
    rng = np.random.default_rng(2)
    scores = rng.random(80_000)
    is_ai = rng.random(80_000) < scores
    for rarer in (is_ai, ~is_ai):
        mix = ~rarer | (np.cumsum(rarer) % 3 == 0)
        weights = rng.integers(1, 3, mix.sum()).astype(float)
        actual = measure(is_ai[mix], scores[mix], weights, CUTS)
        assert actual["ece"] < 0.02
        assert actual["brier"] == pytest.approx(1 / 6, abs=0.005)  # the mean of p (1 - p)
        mean_score, so, mass = reliability(is_ai[mix], scores[mix], weights)
        assert so == pytest.approx(mean_score, abs=0.04) and mass.sum() == pytest.approx(1)


def test_weights_equal_repeated_images():
    once = scored([1, 1, 0, 0, 0], [0.9, 0.4, 0.6, 0.2, 0.1])
    weights = np.array([3.0, 1.0, 2.0, 1.0, 0.0])
    repeated = np.repeat(np.arange(5), weights.astype(int))
    expected = plain(once.where(repeated))  # where() takes indices as well as masks
    actual = measure(once.is_ai, once.scores, weights, CUTS)
    assert actual == pytest.approx(expected, nan_ok=True)


def test_source_weights_balance_sources():
    """99 correct images of one source and 1 wrong of another: accuracy 0.5 with equal source weights."""
    answers = scored(
        [1] * 100 + [0] * 2, [0.9] * 99 + [0.1] + [0.1] * 2, ["big"] * 99 + ["small"] + ["r1", "r2"]
    )
    by_source = measure_with_intervals(answers, CUTS, resamples=0, by_source=True)
    assert by_source.values["tpr@best-guess"] == pytest.approx(0.5)
    assert measure_with_intervals(answers, CUTS, resamples=0).values["tpr@best-guess"] == pytest.approx(0.99)


def test_source_weights_keep_class_sizes():
    answers = scored([1, 1, 1, 0, 0], [0.5] * 5, ["a", "a", "b", "c", "c"])
    weights = source_weights(answers)
    assert weights.tolist() == [0.75, 0.75, 1.5, 1.0, 1.0]


def test_bootstrap_resamples_keep_both_classes_and_are_seeded():
    answers = scored([1, 1, 1, 0, 0, 0, 0], [0.5] * 7, ["a", "a", "b", "c", "c", "d", "d"])
    first, again = list(draws(answers, 20)), list(draws(answers, 20))
    for counts, same in zip(first, again, strict=True):
        assert (counts == same).all()
        assert counts[:3].sum() > 0 and counts[3:].sum() > 0
    assert any(counts[2] == 0 for counts in first) and any(counts[:2].sum() == 0 for counts in first)


def test_single_source_per_class_resamples_images():
    answers = scored([1] * 50 + [0] * 50, [0.9] * 40 + [0.1] * 60, ["both"] * 100)
    low, high = measure_with_intervals(answers, CUTS, resamples=300).intervals["accuracy"]
    assert 0.8 < low < 0.9 < high < 0.97  # 40 of 50 and 50 of 50


def test_cluster_bootstrap_intervals_are_wider():
    """Sources entirely right or wrong: 10 clusters carry less information than 1,000 independent images."""
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
    expected = 2 * 1.96 * (0.8 * 0.2 / 1000) ** 0.5  # of a binomial proportion
    assert width(alone) == pytest.approx(expected, rel=0.35)


def test_calibration_error_interval_contains_estimate():
    """Perfectly calibrated scores of few sources: every resample has a larger error than the whole."""
    rng = np.random.default_rng(1)
    scores = rng.random(2000)
    answers = Scored(rng.random(2000) < scores, scores, np.array([f"s{i % 7}" for i in range(2000)]))
    actual = measure_with_intervals(answers, CUTS, resamples=100)
    low, high = actual.intervals["ece"]
    assert 0 <= low <= actual.values["ece"] <= high


def test_undefined_metric_is_omitted():
    """In `balanced` nothing is answered if every score lies between the thresholds."""
    actual = measure_with_intervals(scored([1, 0], [0.5, 0.5]), CUTS, resamples=5)
    assert "error@balanced" not in actual.values and "error@balanced" not in actual.intervals
    assert actual.values["coverage@balanced"] == 0
