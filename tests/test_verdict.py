"""Every row of the truth table in verdict.py's docstring, in order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imageprocess.types import GRADES, Evidence, Thresholds
from imageprocess.verdict import decide, grade

BALANCED = Thresholds(ai=0.8, real=0.2)
GUESS = Thresholds(ai=0.5, real=0.5)
MODES = {
    "high-confidence": {"ai": 0.95, "real": 0.05},
    "balanced": {"ai": 0.8, "real": 0.2},
    "best-guess": {"ai": 0.5, "real": 0.5},
}

SIGNED_AI = Evidence("c2pa", "Signed AI.", "trusted", "ai")
CAPTURE = Evidence("c2pa", "Signed capture.", "trusted", "real")
SIGNED_EDIT = Evidence("c2pa", "Signed edit.", "trusted", "ai_edited")
UNTRUSTED_AI = Evidence("c2pa", "Claimed AI by an unknown signer.", "valid_untrusted", "ai")
UNTRUSTED_CAPTURE = Evidence("c2pa", "Claimed capture by an unknown signer.", "valid_untrusted", "real")
BROKEN_AI = Evidence("c2pa", "Broken manifest.", "broken", "nothing")
MARK = Evidence("watermark", "A mark.", "measured", "ai")
WORKFLOW = Evidence("generator_metadata", "A workflow.", "unsigned", "ai")
IPTC_AI = Evidence("iptc", "An IPTC value.", "unsigned", "ai")
IPTC_EDIT = Evidence("iptc", "An AI edit.", "unsigned", "ai_edited")
IPTC_CAPTURE = Evidence("iptc", "An IPTC capture.", "unsigned", "real")
CAMERA = Evidence("exif", "A camera.", "unsigned", "real")


def model(p: float, **detail: object) -> Evidence:
    values = {"probability_ai": p, "logit": 0.0, "mode_thresholds": MODES, **detail}
    return Evidence("model", f"{p}", "measured", "nothing", values)


@pytest.mark.parametrize("says_ai", [SIGNED_AI, MARK, UNTRUSTED_AI, WORKFLOW, IPTC_AI])
def test_row_1_trusted_capture_against_ai_evidence_is_unsure(says_ai: Evidence) -> None:
    verdict = decide([CAPTURE, says_ai, model(0.4)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", 0.4)
    assert CAPTURE.claim in verdict.reason and says_ai.claim in verdict.reason


@pytest.mark.parametrize("others", [[], [model(0.01)], [MARK], [WORKFLOW, CAMERA], [SIGNED_EDIT]])
def test_row_2_trusted_ai_manifest_decides(others: list[Evidence]) -> None:
    verdict = decide([*others, SIGNED_AI], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("ai", "c2pa", 1.0)


@pytest.mark.parametrize("others", [[], [model(0.01)], [WORKFLOW], [CAMERA, UNTRUSTED_CAPTURE]])
def test_row_3_watermark_decides(others: list[Evidence]) -> None:
    verdict = decide([*others, MARK], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("ai", "watermark", 1.0)


def test_contradicting_model_is_named_once() -> None:
    contradiction = replace(model(0.01), claim="The model leans to real.", points_to="real")
    reason = decide([MARK, contradiction], BALANCED).reason
    assert reason.count("However") == 1 and contradiction.claim not in reason


@pytest.mark.parametrize("claim", [UNTRUSTED_AI, WORKFLOW, IPTC_AI])
@pytest.mark.parametrize("thresholds", [BALANCED, Thresholds(ai=0.99, real=0.001)])
@pytest.mark.parametrize("p", [0.0, 0.01, 0.05])
def test_row_4_ai_claim_against_confident_model_is_unsure(
    claim: Evidence, p: float, thresholds: Thresholds
) -> None:
    verdict = decide([claim, model(p)], thresholds)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", p)
    assert claim.claim in verdict.reason and "real picture" in verdict.reason


@pytest.mark.parametrize("claim", [UNTRUSTED_AI, WORKFLOW, IPTC_AI])
@pytest.mark.parametrize("others", [[], [model(0.21)], [model(0.5)], [model(0.99)], [IPTC_EDIT]])
def test_row_5_ai_claim_decides_as_claim(claim: Evidence, others: list[Evidence]) -> None:
    verdict = decide([*others, claim], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.grade) == ("ai", "metadata", "likely_ai")
    assert "Anyone can write" in verdict.reason


@pytest.mark.parametrize("against", [CAMERA, UNTRUSTED_CAPTURE, IPTC_CAPTURE])
@pytest.mark.parametrize("claim", [UNTRUSTED_AI, WORKFLOW, IPTC_AI])
@pytest.mark.parametrize("others", [[], [model(0.6)], [model(0.01)]])
def test_contradicting_evidence_is_named(claim: Evidence, against: Evidence, others: list[Evidence]) -> None:
    verdict = decide([against, *others, claim], BALANCED)
    assert claim.claim in verdict.reason and against.claim in verdict.reason
    assert verdict.grade == ("cannot_tell" if verdict.label == "unsure" else "leaning_ai")


def test_claim_probability_is_measured_share() -> None:
    """Metadata can be forged: the reason never states certainty, and contradicting evidence prevents a verdict."""
    for evidence in ([WORKFLOW], [WORKFLOW, model(0.3)], [UNTRUSTED_AI, model(0.99)]):
        probability = decide(evidence, BALANCED).probability_ai
        assert probability and 0.9 < probability < 0.99
    for evidence in ([WORKFLOW, CAMERA], [WORKFLOW, IPTC_CAPTURE, model(0.9)], [IPTC_AI, model(0.1)]):
        assert decide(evidence, BALANCED).probability_ai is None


def test_model_disagreement_is_named() -> None:
    for item, weaker in ((WORKFLOW, "leaning_ai"), (MARK, "likely_ai"), (SIGNED_AI, "very_likely_ai")):
        verdict = decide([item, model(0.15)], BALANCED)
        assert "according to the model it is a real picture (15 % AI)" in verdict.reason
        assert (verdict.label, verdict.grade) == ("ai", weaker)
    verdict = decide([CAMERA, model(0.97)], BALANCED)  # model evidence against camera metadata
    assert verdict.label == "ai" and CAMERA.claim in verdict.reason
    leaning = decide([CAMERA, model(0.7)], BALANCED)
    assert leaning.grade == "leaning_ai" and CAMERA.claim in leaning.reason
    assert CAMERA.claim not in decide([CAMERA, model(0.3)], BALANCED).reason


def test_row_5_best_guess_follows_claim() -> None:
    verdict = decide([WORKFLOW, model(0.004)], GUESS)
    assert (verdict.label, verdict.decided_by, verdict.grade) == ("ai", "metadata", "leaning_ai")
    assert "real picture (under 1 % AI)" in verdict.reason


@pytest.mark.parametrize("others", [[], [model(0.02)], [CAMERA], [IPTC_CAPTURE]])
def test_row_6_trusted_capture_is_real(others: list[Evidence]) -> None:
    verdict = decide([*others, CAPTURE], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("real", "c2pa", 0.0)
    assert "disagrees" not in verdict.reason


def test_row_6_shows_model_disagreement() -> None:
    verdict = decide([CAPTURE, model(0.97)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("real", "c2pa", 0.0)
    assert "The model disagrees (97 % AI)" in verdict.reason


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_row_7b_blank_image_is_unsure(p: float) -> None:
    verdict = decide([CAMERA, model(p, blank=True, **SMALL)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", None)
    assert "cannot be assessed" in verdict.reason and verdict.advice == ("another",)
    forced = decide([model(0.9, blank=True)], GUESS)
    assert forced.label == "ai" and "blank" in forced.reason
    assert decide([model(p, blank=True), WORKFLOW], GUESS).label == "ai"


SMALL = {"too_small": {"side": 199, "smallest": 200}}


@pytest.mark.parametrize("kind", [{"blank": True}, SMALL])
def test_claim_is_not_doubted_when_model_abstains(kind: dict[str, object]) -> None:
    assert decide([model(0.001), WORKFLOW], BALANCED).label == "unsure"
    assert decide([model(0.001, **kind), WORKFLOW], BALANCED).label == "ai"


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_row_7a_model_does_not_decide_on_too_small_image(p: float) -> None:
    verdict = decide([CAMERA, model(p, **SMALL)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", p)
    assert "199 pixels" in verdict.reason and "under 200" in verdict.reason


def test_row_7a_keeps_claims_and_best_guess() -> None:
    assert decide([model(0.9, **SMALL)], GUESS).label == "ai"
    assert decide([model(0.1, **SMALL)], GUESS).label == "real"
    assert decide([model(0.5, **SMALL), WORKFLOW], BALANCED).label == "ai"
    assert decide([model(0.5, **SMALL), CAPTURE], BALANCED).label == "real"
    assert decide([model(0.9, **SMALL)], None).reason == decide([], None).reason


@pytest.mark.parametrize(
    ("p", "label", "decided_by"),
    [
        (1.0, "ai", "model"), (0.8, "ai", "model"), (0.79, "unsure", "abstain"),
        (0.21, "unsure", "abstain"), (0.2, "real", "model"), (0.0, "real", "model"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "bystanders",
    [[], [CAMERA], [IPTC_CAPTURE], [UNTRUSTED_CAPTURE], [BROKEN_AI], [IPTC_EDIT], [SIGNED_EDIT]],
)
def test_rows_7_to_9_model_decides(p: float, label: str, decided_by: str, bystanders: list[Evidence]) -> None:
    verdict = decide([*bystanders, model(p)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == (label, decided_by, p)


@pytest.mark.parametrize(
    "bystanders", [[], [CAMERA], [IPTC_CAPTURE], [UNTRUSTED_CAPTURE], [BROKEN_AI], [SIGNED_EDIT]]
)
def test_row_10_no_deciding_evidence_and_no_model(bystanders: list[Evidence]) -> None:
    verdict = decide(bystanders, None)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", None)


def test_broken_manifest_warning_in_every_reason() -> None:
    for evidence in ([], [model(0.9)], [model(0.1)], [WORKFLOW], [MARK]):
        assert "Warning: Broken manifest." in decide([BROKEN_AI, *evidence], BALANCED).reason


def test_ai_edit_is_mentioned_beside_non_ai_verdict() -> None:
    for p in (0.01, 0.5):
        assert IPTC_EDIT.claim in decide([IPTC_EDIT, model(p)], BALANCED).reason


@pytest.mark.parametrize("p", [0.0, 0.001, 0.2, 0.37, 0.5, 0.63, 0.8, 0.999, 1.0])
def test_reason_percentage_matches_label(p: float) -> None:
    for thresholds in (BALANCED, GUESS, Thresholds(0.3, 0.3)):
        reason = decide([model(p)], thresholds).reason
        assert "chance that the picture is AI-made" in reason
        if p not in (0.0, 1.0):
            assert "is 0 %" not in reason and "is 100 %" not in reason


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (1.0, "very_likely_ai"), (0.95, "very_likely_ai"), (0.94, "likely_ai"), (0.8, "likely_ai"),
        (0.79, "leaning_ai"), (0.56, "leaning_ai"), (0.54, "cannot_tell"), (0.5, "cannot_tell"),
        (0.46, "cannot_tell"), (0.44, "leaning_real"), (0.21, "leaning_real"), (0.2, "likely_real"),
        (0.06, "likely_real"), (0.05, "very_likely_real"), (0.0, "very_likely_real"),
    ],
)  # fmt: skip
def test_grade_depends_on_probability_not_mode(p: float, expected: str) -> None:
    assert grade(p, MODES) == expected
    for thresholds in (BALANCED, Thresholds(0.95, 0.05)):
        assert decide([CAMERA, model(p)], thresholds).grade == expected
    assert decide([model(p, **SMALL)], BALANCED).grade == "cannot_tell"


@pytest.mark.parametrize("p", [index / 50 for index in range(51)])
@pytest.mark.parametrize("cut", [0.02, 0.3, 0.5, 0.7, 0.98])
def test_grade_never_contradicts_label(p: float, cut: float) -> None:
    for evidence in ([model(p)], [model(p), WORKFLOW], [model(p), CAPTURE], [model(p, **SMALL)]):
        for thresholds in (Thresholds(cut, cut), BALANCED):
            verdict = decide(evidence, thresholds)
            assert verdict.grade in GRADES
            if verdict.label != "unsure":
                assert verdict.grade and verdict.grade.endswith(f"_{verdict.label}")


def test_measured_grade_share_only_for_model_verdicts() -> None:
    measured = {name: {"ai_share": 0.5, "pictures": 99, "grade": name} for name in GRADES}
    for p in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
        verdict = decide([model(p)], BALANCED, measured)
        assert verdict.measured and verdict.measured["grade"] == verdict.grade
    for evidence, thresholds in (
        ([model(0.9), WORKFLOW], BALANCED),  # metadata decides
        ([model(0.9, **SMALL)], BALANCED),  # below the minimum training size
        ([model(0.52)], GUESS),  # best-guess never abstains
        ([], None),
    ):
        assert decide(evidence, thresholds, measured).measured is None
    assert decide([model(0.9)], BALANCED, {}).measured is None


@pytest.mark.parametrize(
    "evidence", [[], [model(0.5)], [model(0.9)], [WORKFLOW], [MARK], [CAPTURE], [SIGNED_AI]]
)
def test_every_verdict_has_advice(evidence: list[Evidence]) -> None:
    assert decide(evidence, BALANCED).advice
