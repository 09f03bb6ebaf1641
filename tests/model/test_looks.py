"""--explain: stability over augmented views, and details of views and sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageprocess.detector import Detector
from imageprocess.model.looks import COPIES, explain
from imageprocess.model.session import Session
from imageprocess.report import words


@pytest.fixture
def session(tiny_model_dir: Path) -> Session:
    return Session(tiny_model_dir)


def _explain(session: Session, pixels: np.ndarray) -> dict[str, object]:
    explanation = explain(pixels, session.run([session.prepare(pixels)])[0], session)
    copies: dict[str, object] = explanation["copies"]
    return copies


def test_clear_answer_is_stable_in_all_augmented_views(session: Session) -> None:
    for brightness, side in ((240, "ai"), (10, "real")):
        explanation = _explain(session, np.full((90, 120, 3), brightness, np.uint8))
        assert (explanation["side"], explanation["same_side"], explanation["total"]) == (side, 8, 8)


def test_answer_based_on_borders_changes_when_cropped(session: Session) -> None:
    pixels = np.full((200, 200, 3), 115, np.uint8)  # dark inside: real
    pixels[:20], pixels[-20:] = 255, 255
    explanation = _explain(session, pixels)
    assert explanation["side"] == "ai" and explanation["same_side"] == 7
    each = explanation["each"]
    assert isinstance(each, list)
    assert [one["copy"] for one in each if one["probability_ai"] < 0.5] == ["edges cut off, JPEG 85"]


def test_probability_near_half_has_range_and_no_side(session: Session) -> None:
    pixels = np.full((90, 120, 3), 128, np.uint8)
    explanation = explain(pixels, session.run([session.prepare(pixels)])[0], session)
    copies = explanation["copies"]
    assert copies["side"] == "neither" and copies["same_side"] is None
    assert 0.45 < copies["lowest"] <= copies["highest"] < 0.55
    assert "between" in words.explanation(explanation)[0]


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (2000, 30)])
def test_augmented_views_of_any_size_are_not_larger(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (90, 120, 40))
    for make in COPIES.values():
        copy = make(image)
        assert copy.shape[0] <= image.height and copy.shape[1] <= image.width and copy.dtype == np.uint8


def test_explain_lists_views_and_sources(session: Session) -> None:
    pixels = np.full((64, 64, 3), 240, np.uint8)
    output = session.run([session.prepare(pixels)])[0]
    plain = explain(pixels, output, session)
    assert set(plain) == {"copies"}
    several = replace(output, view_readings=(1.5, -0.1), view_logits=(2.0,))
    uncut = explain(pixels, several, session)
    assert "side" not in uncut["views"][0] and len(words.explanation(uncut)) == 1
    cuts = {"whole": {"ai": 1.0, "real": -1.0}, "crop": {"ai": 2.0, "real": -0.5}}
    session.spec = replace(session.spec, facts={**session.spec.facts, "training": {"views_alone": cuts}})
    explanation = explain(pixels, several, session)
    assert explanation["views"] == [
        {"view": "whole", "reading": 1.5, "side": "ai"},
        {"view": "crop 1", "reading": -0.1, "side": "neither", "logit": 2.0},
    ]
    text = words.explanation(explanation)
    assert text[0].endswith("8 of 8 stay on the AI side.") and "the whole picture looks AI-made" in text[1]


def test_explain_runs_only_on_request(tiny_model_dir: Path) -> None:
    detector = Detector(tiny_model_dir, remember=5)
    pixels = np.full((64, 64, 3), 240, np.uint8)
    assert "explain" not in detector.detect(pixels).evidence[-1].detail
    for result in (detector.detect(pixels, explain=True), *detector.detect_many([pixels], explain=True)):
        assert result.evidence[-1].detail["explain"]["copies"]["same_side"] == 8
    assert "explain" not in detector.detect(pixels).evidence[-1].detail
