"""Images on which a model abstains count as no verdict in groups and tiers."""

from __future__ import annotations

import numpy as np

from imageprocess.evaluate.groups import consistency, group_rows
from imageprocess.evaluate.metrics import Scored
from imageprocess.types import Thresholds

CUTS = {"balanced": Thresholds(ai=0.8, real=0.2), "best-guess": Thresholds(ai=0.5, real=0.5)}
IS_AI = np.array([True, True, False, False])
SOURCES = np.array(["a", "a", "r", "r"])
SMALL = np.array([True, False, False, True])


def test_image_too_small_on_one_tier_is_no_label_flip():
    whole = Scored(IS_AI, np.array([0.9, 0.9, 0.1, 0.1]), SOURCES)
    cropped = np.array([0.1, 0.1, 0.1, 0.9])
    answered = consistency([whole, Scored(IS_AI, cropped, SOURCES)], ["raw", "crop"], CUTS, 0)
    held_back = consistency([whole, Scored(IS_AI, cropped, SOURCES, SMALL)], ["raw", "crop"], CUTS, 0)
    assert (answered["contradictions"], held_back["contradictions"]) == (3 / 4, 1 / 4)
    assert answered["flips"] == held_back["flips"] == 3 / 4  # of best-guess, which never abstains


def test_too_small_image_is_unsure_in_its_group():
    scored = Scored(IS_AI, np.array([0.9, 0.9, 0.9, 0.9]), SOURCES, SMALL)
    ai, real = group_rows(scored, SOURCES, CUTS, 0)
    assert (ai.tpr, ai.unsure, ai.accuracy) == (1 / 2, 1 / 2, 1)
    assert (real.fpr, real.unsure, real.accuracy) == (1 / 2, 1 / 2, 0)
