"""The maker head learns families across sources, keeps back those of few sources, and says so in the card."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imageprocess.data.folds import family_folds
from imageprocess.train.encoder.features import FeatureSet
from imageprocess.train.encoder.maker import MakerOptions, choose_families, train_maker
from imageprocess.train.encoder.maker_card import maker_section
from imageprocess.train.encoder.maker_measure import NEVER, measure_maker, named_from, softmax, temperature_of
from imageprocess.train.encoder.view_cuts import fit_view_cuts
from tests.support.tiny_head import random_head

pytestmark = pytest.mark.torch
TAPS, WIDTH = 5, 8
OPTIONS = MakerOptions(hidden=16, steps=150, batch_size=64)
# 5 sources each of two families, 2 of a third, 2 of several families; and 6 real ones
FAMILIES = ["flux"] * 5 + ["midjourney"] * 5 + ["qwen"] * 2 + ["mixed"] * 2 + [""] * 6
GENERATORS = {f"s{number}": family for number, family in enumerate(FAMILIES) if family}


def _features(informative: bool = True) -> FeatureSet:
    """16 pictures a source; the family moves some features, the source moves all a little."""
    rng = np.random.default_rng(4)
    each = 16
    sources = np.repeat([f"s{number}" for number in range(len(FAMILIES))], each)
    family = np.repeat([sorted(set(FAMILIES)).index(name) for name in FAMILIES], each)
    own = np.repeat(rng.normal(0, 0.5, (len(FAMILIES), 2, TAPS * WIDTH)), each, axis=0)
    features = rng.normal(0, 1, (len(sources), 2, TAPS * WIDTH)) + own
    if informative:
        directions = rng.normal(0, 0.7, (len(set(FAMILIES)), 2, TAPS * WIDTH))
        features += directions[family]
    stored = features.astype(np.float16)
    is_ai = np.array([name in GENERATORS for name in sources])
    groups = np.array([f"g{number}" for number in range(len(sources))])
    return FeatureSet(
        stored, stored, is_ai, sources, np.repeat("degraded_0", len(sources)),
        np.repeat("photo", len(sources)), groups, groups,
    )  # fmt: skip


def test_families_with_few_sources_are_excluded() -> None:
    assert choose_families(_features(), GENERATORS, 4) == ["midjourney", "flux", "other"]


def test_folds_keep_sources_and_repositories_whole_and_spread_families() -> None:
    source = np.repeat([f"s{number}" for number in range(10)], 3)
    family = np.repeat([0] * 5 + [1] * 5, 3)
    folds = family_folds(source, family, {"s0": "one", "s7": "one"}, 4)
    assert all(len(set(folds[source == name])) == 1 for name in set(source))
    assert folds[source == "s0"][0] == folds[source == "s7"][0]
    assert set(folds[family == 0]) == {0, 1, 2, 3}


def test_unseen_sources_are_attributed_and_noise_is_not() -> None:
    trained = {
        informative: train_maker(
            _features(informative), {"again": _features(informative)}, GENERATORS, {}, TAPS, OPTIONS
        )
        for informative in (True, False)
    }
    good, noise = trained[True], trained[False]
    assert good is not None and noise is not None
    assert (
        good.facts["measured"]["out_of_fold"]["top1"]
        > 0.8
        > 0.6
        > noise.facts["measured"]["out_of_fold"]["top1"]
    )
    assert good.facts["measured"]["out_of_fold"]["sources"] == 12  # not the two of several families
    assert good.facts["threshold"] < 1 and good.facts["measured"]["again"]["top1"] > 0.9
    assert good.facts["closest_sources"]["own_among_3"] > 0.8
    assert len(good.sources.names) == 20 and list(good.head.slots) == [1, 2, 3]
    card = "\n".join(maker_section(good.facts))
    assert f"{good.facts['measured']['out_of_fold']['top1']:.1%}" in card and "| flux |" in card


def test_view_threshold_exceeds_scores_of_real_images() -> None:
    data = _features()
    rng = np.random.default_rng(1)
    patches = rng.normal(0, 1, data.patches.shape).astype(np.float16)
    patches[data.is_ai, :, 0] += 4
    data = replace(data, patches=patches)
    head = replace(
        random_head(TAPS * WIDTH),
        patches=np.eye(TAPS * WIDTH, dtype=np.float32)[0],
        patches_bias=np.float32(0),
    )
    cuts = fit_view_cuts(data, head, {"again": data})
    for view, cut in cuts.items():
        assert 1.5 < cut["ai"] < 2.7 and 1.3 < cut["real"] < 2.5, view
        assert all(0 < share <= 0.025 for share in cut["measured"]["again"].values())


def test_there_is_no_maker_head_without_two_families() -> None:
    assert train_maker(_features(), {}, {f"s{n}": "flux" for n in range(12)}, {}, TAPS, OPTIONS) is None


def test_named_families_reach_the_required_precision() -> None:
    rng = np.random.default_rng(2)
    family = rng.integers(0, 3, 3000)
    logits = rng.normal(0, 1, (3000, 3)).astype(np.float32)
    logits[np.arange(3000), family] += 1.5
    weights = np.ones(3000)
    temperature = temperature_of(logits * 3, family, weights)
    assert temperature == pytest.approx(3 * temperature_of(logits, family, weights), rel=0.2)
    cut = named_from(logits, family, weights, ["a", "b", "other"], 0.85)
    best, most = softmax(logits).argmax(1), softmax(logits).max(1)
    named = (best != 2) & (most >= cut)
    assert 0.85 <= (best == family)[named].mean() < 0.9
    assert named_from(-logits, family, weights, ["a", "b", "other"], 0.85) == NEVER
    source = np.array([f"s{number % 30}" for number in range(3000)])
    told = measure_maker(logits, 1.0, cut, family, source, ["a", "b", "other"])
    assert told["named_right"] == pytest.approx((best == family)[named].mean(), abs=0.01)
    assert sum(told["confusion"]["a"]["taken_for"]) == pytest.approx(1, abs=0.01)
