"""The composed default model, if installed: known scores, batches, views, detection from file to record."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imageprocess
from imageprocess.detector import Detector
from imageprocess.model import registry
from imageprocess.model.base.known_answers import check_answers, draw
from imageprocess.model.session import Session
from imageprocess.model.spec import load_spec

RECIPE = registry.MODELS / "clip"


@pytest.fixture
def session(clip_home: Path) -> Session:
    return Session(registry.resolve("clip"))


def test_recipe_is_complete() -> None:
    spec = registry.verify(RECIPE)
    assert spec.base is not None and spec.views is not None and len(spec.facts["known_answers"]) == 4
    assert spec.facts["composed_bytes"] <= 85e6
    assert sum((RECIPE / name).stat().st_size for name in spec.facts["files"]) < 3e6
    assert "MIT License" in (RECIPE / "NOTICE").read_text()


def test_clip_is_default_and_matches_measured_scores(session: Session) -> None:
    assert registry.resolve() == session.spec.folder and registry.better_model() is None
    check_answers(session, load_spec(RECIPE).facts["known_answers"], 0.02)


def test_batch_matches_single_inference(session: Session) -> None:
    pictures = [session.prepare(draw(seed)) for seed in range(3)]
    together = session.run(pictures)
    for picture, output in zip(pictures, together, strict=True):
        alone = session.run([picture])[0]
        assert alone.logits == pytest.approx(output.logits, abs=1e-3)
        assert output.view_logits == pytest.approx([output.logits[0] - output.logits[1]], abs=1e-3)
        assert output.heatmap is not None and output.heatmap.shape == (14, 14)


def test_clip_from_file_to_record(clip_home: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(draw(2)).save(stream, "JPEG", quality=90)
    result = Detector().detect(stream.getvalue(), heatmap=True)
    assert result.model is not None and result.model.name == "clip"
    assert result.heatmap is not None and result.heatmap.shape == (14, 14)
    assert result.verdict is not None and 0 < (result.verdict.probability_ai or 0) < 1
    many = list(imageprocess.detect_many([stream.getvalue()] * 3))
    assert [one.verdict for one in many] == [result.verdict] * 3


def test_small_and_narrow_images_are_scored(clip_home: Path) -> None:
    detector = Detector()
    for size in ((1, 1), (20, 400), (400, 20)):
        stream = io.BytesIO()
        Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(stream, "PNG")
        assert detector.detect(stream.getvalue()).status == "ok"
