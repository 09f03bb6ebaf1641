"""A head learns what separates features, out of fold by source, and its 8-bit form scores as the float one."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from imageprocess.data.folds import repository_folds
from imageprocess.train.encoder.features import FeatureSet
from imageprocess.train.encoder.head import HeadOptions, out_of_fold, out_of_fold_and_other, train_head

pytestmark = pytest.mark.torch
OPTIONS = HeadOptions(hidden=8, seeds=2, epochs=12, batch_size=64)
WIDTH = 24


def _features(informative: bool) -> FeatureSet:
    """20 sources of 20 pictures; the class moves half of the features, the source moves all of them a little."""
    rng = np.random.default_rng(4)
    sources = np.repeat([f"s{number}" for number in range(20)], 20)
    is_ai = np.repeat(np.arange(20) % 2 == 0, 20)
    own = np.repeat(rng.normal(0, 0.5, (20, 2, WIDTH)), 20, axis=0)
    features = rng.normal(0, 1, (400, 2, WIDTH)) + own
    if informative:
        features[is_ai, :, : WIDTH // 2] += 1.2
    category = np.repeat(["photo" if number < 10 else "art" for number in range(20)], 20)
    stored = features.astype(np.float16)
    groups = np.array([f"g{number // 2}" for number in range(400)])
    variants = np.tile(["degraded_0", "degraded_1"], 200)
    pictures = np.array([f"p{number // 2}" for number in range(400)])
    return FeatureSet(stored, stored, is_ai, sources, variants, category, groups, pictures)


def _auroc(data: FeatureSet, scores: np.ndarray) -> float:
    ai, real = scores[data.is_ai], scores[~data.is_ai]
    return float((ai[:, None] > real[None]).mean())


def test_out_of_fold_scores_separate_classes_not_sources() -> None:
    data, noise = _features(informative=True), _features(informative=False)
    folds = repository_folds(data, {}, 4)
    assert _auroc(data, out_of_fold(data, folds, OPTIONS)) > 0.95
    assert abs(_auroc(noise, out_of_fold(noise, folds, OPTIONS)) - 0.5) < 0.2


def test_other_features_are_scored_by_heads_of_all_folds() -> None:
    data = _features(informative=True)
    other = data.source == "s0"
    data, other = data.subset(~other), data.subset(other)
    folds, options = repository_folds(data, {}, 2), replace(OPTIONS, folds=2, seeds=1)
    scores, other_scores = out_of_fold_and_other(data, other, folds, options)
    np.testing.assert_array_equal(scores, out_of_fold(data, folds, options))
    assert other_scores.shape == (20,) and (other_scores > 0).mean() > 0.8  # s0 is AI
    # A head that leaves fold 0 out is the same whether fold 0 contains the other copies or not.
    both = FeatureSet(
        *(np.concatenate([getattr(data, f.name), getattr(other, f.name)]) for f in fields(FeatureSet))
    )
    of_fold = [out_of_fold(both, np.append(folds, [fold] * 20), options)[-20:] for fold in (0, 1)]
    np.testing.assert_allclose(other_scores, np.mean(of_fold, axis=0), atol=1e-9)


def test_stored_head_scores_equal_trained_head_scores() -> None:
    data = _features(informative=True)
    head, score = train_head(data, OPTIONS)
    weight = head.hidden * head.hidden_scale
    cls = data.cls.astype(np.float32)
    hidden = np.maximum(cls[:, 0] @ weight[0] + cls[:, 1] @ weight[1] + head.hidden_bias, 0)
    np.testing.assert_allclose(hidden @ head.output + head.output_bias, score(data), atol=0.1)
    towards_ai = cls.mean(axis=1) @ head.patches
    assert _auroc(data, towards_ai) > 0.9  # the heat map's linear reading points the same way


def test_consistency_loss_reduces_distance_between_copies() -> None:
    data = _features(informative=True)
    apart = {}
    for weight in (0.0, 30.0):
        _, score = train_head(data, replace(OPTIONS, consistency=weight))
        probability = 1 / (1 + np.exp(-score(data)))
        apart[weight] = np.abs(probability[::2] - probability[1::2]).mean()
    assert apart[30.0] < 0.8 * apart[0.0]


@pytest.mark.parametrize("copies", [1, 3])
def test_images_with_one_or_three_copies_are_accepted(copies: int) -> None:
    data = _features(informative=True)
    data = replace(data, picture=np.array([f"p{number // copies}" for number in range(400)]))
    _, score = train_head(data, OPTIONS)
    assert _auroc(data, score(data)) > 0.95
