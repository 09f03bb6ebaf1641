from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageprocess.model.evidence import model_evidence as ask
from imageprocess.model.evidence import percent, probability_ai
from imageprocess.model.session import Output
from imageprocess.model.spec import load_spec
from imageprocess.types import ImageFacts, Thresholds


def test_known_values() -> None:
    assert probability_ai(0, 1, 0) == 0.5
    assert probability_ai(math.log(3), 1, 0) == pytest.approx(0.75)
    assert probability_ai(2 * math.log(3), 2, 0) == pytest.approx(0.75)
    assert probability_ai(0, 5, math.log(3)) == pytest.approx(0.75)


@given(st.floats(-1e6, 1e6), st.floats(0.01, 100), st.floats(-50, 50))
def test_platt_scaling_is_bounded_and_symmetric(logit: float, temperature: float, bias: float) -> None:
    actual = probability_ai(logit, temperature, bias)
    assert 0 <= actual <= 1
    assert actual + probability_ai(-logit, temperature, -bias) == pytest.approx(1)


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.0, "0 %"),
        (0.004, "under 1 %"),
        (0.01, "1 %"),
        (0.5, "50 %"),
        (0.99, "99 %"),
        (0.9996, "over 99 %"),
        (1.0, "100 %"),
    ],
)
def test_percent_never_rounds_to_certainty(p: float, words: str) -> None:
    assert percent(p) == words


@pytest.mark.parametrize(
    ("logits", "points_to"), [((2, -2), "ai"), ((-2, 2), "real"), ((0.1, -0.1), "nothing")]
)
def test_model_evidence(tiny_model_dir: Path, logits: tuple[float, float], points_to: str) -> None:
    spec = load_spec(tiny_model_dir)
    evidence = ask(Output(logits, None), spec, Thresholds(ai=0.8, real=0.2), ImageFacts("PNG", 8, 8, 1, 99))
    assert (evidence.kind, evidence.trust, evidence.points_to) == ("model", "measured", points_to)
    assert evidence.detail["logit"] == pytest.approx(logits[0] - logits[1])
    assert evidence.detail["probability_ai"] == probability_ai(logits[0] - logits[1], 0.5, 0.0)
    assert "too_small" not in evidence.detail  # this model has no minimum size


def test_image_smaller_than_training_minimum_is_reported(tiny_model_dir: Path) -> None:
    spec, thresholds = replace(load_spec(tiny_model_dir), smallest_px=200), Thresholds(ai=0.8, real=0.2)
    for width, height, expected in [(199, 150, {"side": 199, "smallest": 200}), (20, 200, None)]:
        evidence = ask(Output((0.0, 1.0), None), spec, thresholds, ImageFacts("PNG", width, height, 1, 99))
        assert evidence.detail.get("too_small") == expected
