"""A claim of AI is doubted if the model is confident of a real image; every model can be that confident."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from imageprocess.detector import Detector
from imageprocess.model import registry
from imageprocess.model.spec import load_spec

SHIPPED = [folder.name for folder in registry.shipped()]
NOTE = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model hash: abcdef"


@pytest.mark.parametrize("name", SHIPPED)
def test_real_images_had_high_confidence(name: str) -> None:
    """On every measured split. Answered = predicted AI + predicted real; predicted AI = true + false positives."""
    splits = load_spec(registry.MODELS / name).facts["measured"]["splits"]
    assert "open_test" in splits
    for tier in (measured.get("raw", measured) for measured in splits.values()):
        n, n_ai, n_real = (tier[key] for key in ("n", "n_ai", "n_real"))
        answered = tier["coverage@high-confidence"] * n
        called_ai = tier["tpr@high-confidence"] * n_ai + tier["fpr@high-confidence"] * n_real
        ai_called_real = tier["error@high-confidence"] * answered - tier["fpr@high-confidence"] * n_real
        assert answered - called_ai - ai_called_real > 0.05 * n_real


@pytest.mark.parametrize("name", [*SHIPPED, "clip"])
def test_ai_claim_in_confidently_real_image_is_doubted(
    name: str, shared_dir: Path, request: pytest.FixtureRequest
) -> None:
    """Real images of held-out sources, until the model is confident about one of them."""
    if name == "clip":
        request.getfixturevalue("clip_home")
    pack = shared_dir / "fixtures" / "open-pack"
    with (pack / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["label"] == "real"][::7]
    detector = Detector(name)
    sure = detector.spec.thresholds["high-confidence"].real
    for row in rows:
        noted = _with_note(pack / row["path"])
        verdict = detector.detect(noted).verdict
        assert verdict
        if verdict.label == "unsure":
            break
    else:
        pytest.fail(f"{name} is sure of none of {len(rows)} real pictures (at or below {sure})")
    assert verdict.probability_ai is not None and verdict.probability_ai <= sure
    assert (
        "real picture with high confidence" in verdict.reason and "Stable Diffusion web UI" in verdict.reason
    )
    assert verdict.grade == "cannot_tell"
    forced = detector.detect(noted, mode="best-guess").verdict
    assert forced and (forced.label, forced.grade, forced.probability_ai) == ("ai", "leaning_ai", None)


def _with_note(path: Path) -> bytes:
    note = PngImagePlugin.PngInfo()
    note.add_text("parameters", NOTE)
    stream = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(stream, "PNG", pnginfo=note, compress_level=1)
    return stream.getvalue()
