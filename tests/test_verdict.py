"""Every row of the truth table in verdict.py's docstring, in its order."""

from __future__ import annotations

import pytest

from imageprocess.model.spec import Thresholds
from imageprocess.types import Evidence
from imageprocess.verdict import decide

BALANCED = Thresholds(ai=0.8, real=0.2)
GUESS = Thresholds(ai=0.5, real=0.5)

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
    return Evidence("model", f"{p}", "measured", "nothing", {"probability_ai": p, "logit": 0.0, **detail})


@pytest.mark.parametrize("says_ai", [SIGNED_AI, MARK, UNTRUSTED_AI, WORKFLOW, IPTC_AI])
def test_row_1_a_trusted_capture_against_anything_that_says_ai_is_unsure(says_ai: Evidence) -> None:
    verdict = decide([CAPTURE, says_ai, model(0.4)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", 0.4)
    assert CAPTURE.claim in verdict.reason and says_ai.claim in verdict.reason


@pytest.mark.parametrize("others", [[], [model(0.01)], [MARK], [WORKFLOW, CAMERA], [SIGNED_EDIT]])
def test_row_2_a_trusted_manifest_that_says_ai_decides(others: list[Evidence]) -> None:
    verdict = decide([*others, SIGNED_AI], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("ai", "c2pa", 1.0)


@pytest.mark.parametrize("others", [[], [model(0.01)], [WORKFLOW], [CAMERA, UNTRUSTED_CAPTURE]])
def test_row_3_a_watermark_decides(others: list[Evidence]) -> None:
    verdict = decide([*others, MARK], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("ai", "watermark", 1.0)


@pytest.mark.parametrize("claim", [UNTRUSTED_AI, WORKFLOW, IPTC_AI])
@pytest.mark.parametrize("thresholds", [BALANCED, Thresholds(ai=0.99, real=0.001)])
@pytest.mark.parametrize("p", [0.0, 0.001, 0.01])
def test_row_4_a_claim_of_ai_against_a_sure_model_is_unsure_with_both_sides(
    claim: Evidence, p: float, thresholds: Thresholds
) -> None:
    verdict = decide([claim, model(p)], thresholds)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", p)
    assert claim.claim in verdict.reason and "real picture" in verdict.reason


@pytest.mark.parametrize("claim", [UNTRUSTED_AI, WORKFLOW, IPTC_AI])
@pytest.mark.parametrize(
    "others", [[], [model(0.011)], [model(0.19)], [model(0.99)], [CAMERA], [UNTRUSTED_CAPTURE], [IPTC_EDIT]]
)
def test_row_5_a_claim_of_ai_decides_and_is_told_as_a_claim(claim: Evidence, others: list[Evidence]) -> None:
    verdict = decide([*others, claim], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("ai", "metadata", 1.0)
    assert "Anyone can write" in verdict.reason


def test_row_5_a_mode_that_never_abstains_follows_the_claim_and_shows_both() -> None:
    verdict = decide([WORKFLOW, model(0.004)], GUESS)
    assert (verdict.label, verdict.decided_by) == ("ai", "metadata")
    assert "real picture (under 1 % AI)" in verdict.reason


@pytest.mark.parametrize("others", [[], [model(0.02)], [CAMERA], [IPTC_CAPTURE]])
def test_row_6_a_trusted_capture_is_real(others: list[Evidence]) -> None:
    verdict = decide([*others, CAPTURE], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("real", "c2pa", 0.0)
    assert "disagrees" not in verdict.reason


def test_row_6_shows_the_models_disagreement() -> None:
    verdict = decide([CAPTURE, model(0.97)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("real", "c2pa", 0.0)
    assert "The model disagrees (97 % AI)" in verdict.reason


SMALL = {"too_small": {"side": 199, "smallest": 200}}


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_row_7a_on_a_picture_smaller_than_any_it_knows_the_model_does_not_decide(p: float) -> None:
    verdict = decide([CAMERA, model(p, **SMALL)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", p)
    assert "199 pixels" in verdict.reason and "under 200" in verdict.reason


def test_row_7a_leaves_records_alone_and_the_mode_that_always_answers() -> None:
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
def test_rows_7_to_9_the_model_decides_whatever_the_bystanders_say(
    p: float, label: str, decided_by: str, bystanders: list[Evidence]
) -> None:
    verdict = decide([*bystanders, model(p)], BALANCED)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == (label, decided_by, p)


@pytest.mark.parametrize(
    "bystanders", [[], [CAMERA], [IPTC_CAPTURE], [UNTRUSTED_CAPTURE], [BROKEN_AI], [SIGNED_EDIT]]
)
def test_row_10_nothing_deciding_and_no_model(bystanders: list[Evidence]) -> None:
    verdict = decide(bystanders, None)
    assert (verdict.label, verdict.decided_by, verdict.probability_ai) == ("unsure", "abstain", None)


def test_a_broken_manifest_warns_in_every_reason() -> None:
    for evidence in ([], [model(0.9)], [model(0.1)], [WORKFLOW], [MARK]):
        assert "Warning: Broken manifest." in decide([BROKEN_AI, *evidence], BALANCED).reason


def test_an_edit_is_told_beside_an_answer_that_is_not_ai() -> None:
    for p in (0.01, 0.5):
        assert IPTC_EDIT.claim in decide([IPTC_EDIT, model(p)], BALANCED).reason


@pytest.mark.parametrize("p", [0.0, 0.001, 0.2, 0.37, 0.5, 0.63, 0.8, 0.999, 1.0])
def test_a_reason_never_puts_a_bare_percentage_beside_the_opposite_word(p: float) -> None:
    for thresholds in (BALANCED, GUESS, Thresholds(0.3, 0.3)):
        reason = decide([model(p)], thresholds).reason
        assert "chance that an AI made it" in reason
        if p not in (0.0, 1.0):
            assert "at 0 %" not in reason and "at 100 %" not in reason
