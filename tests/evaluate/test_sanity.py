"""Sanity checks: leaking metadata features are detected, controls are at chance."""

from __future__ import annotations

import numpy as np

from imageprocess.evaluate import sanity
from imageprocess.evaluate.metrics import Scored
from imageprocess.types import Thresholds

CUTS = {"best-guess": Thresholds(ai=0.5, real=0.5)}
N = 400


def pictures(seed: int = 0) -> tuple[Scored, np.ndarray]:
    """Eight sources, four per class, and three uninformative metadata features; no file has the last."""
    rng = np.random.default_rng(seed)
    is_ai = np.arange(N) % 2 == 0
    sources = np.array([f"s{i % 8}" for i in range(N)])
    facts = np.column_stack([rng.random(N), rng.random(N), np.full(N, np.nan)])
    return Scored(is_ai, rng.random(N), sources), facts


def test_metadata_features_that_leak_the_class_are_detected():
    scored, facts = pictures()
    facts[:, 1] += scored.is_ai  # larger files
    assert sanity.file_facts_alone(scored, facts, resamples=0).values["auroc"] > 0.98


def test_metadata_features_that_identify_only_the_source_do_not_count():
    """A feature that identifies the source exactly: no source is in both folds, so it does not help."""
    scored, facts = pictures()
    facts[:, 0] = [int(source[1:]) for source in scored.sources]
    actual = sanity.file_facts_alone(scored, facts, resamples=0).values["auroc"]
    random_folds = sanity.file_facts_alone(
        Scored(scored.is_ai, scored.scores, np.array(["one"] * N)), facts, resamples=0
    ).values["auroc"]
    assert random_folds > 0.98 and actual < 0.8


def test_too_few_images_give_no_row():
    scored, facts = pictures()
    few = np.arange(6)
    assert sanity.file_facts_alone(scored.where(few), facts[few], resamples=0) is None


def test_shuffled_labels_are_at_chance():
    is_ai = np.arange(N) % 2 == 0
    mean, low, high = sanity.shuffled_labels(Scored(is_ai, is_ai * 0.9, np.array(["one"] * N)), CUTS)["auroc"]
    assert low < 0.5 < high and abs(mean - 0.5) < 0.02 and high < 0.6


def test_constant_real_accuracy_is_share_of_real():
    is_ai = np.arange(10) < 3
    row = sanity.always_real(is_ai, np.ones(10))
    assert row["accuracy"] == 0.7 and row["balanced_accuracy"] == 0.5 and row["auroc"] == 0.5
