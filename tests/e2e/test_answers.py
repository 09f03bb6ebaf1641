"""Wording of verdicts on the pages matches Python."""

from __future__ import annotations

import itertools

import pytest

from imageprocess.report import words
from imageprocess.types import GRADES
from tests.support.browsing import Open

pytestmark = pytest.mark.e2e


def test_answer_wording_matches_python(open_static: Open) -> None:
    """Headline, measured share, basis and advice are the same on page and terminal."""
    page = open_static("docs.html").page
    for grade, share in itertools.product(GRADES, (0.0, 0.004, 0.07, 0.5, 0.934, 0.999)):
        label = "unsure" if grade.startswith(("leaning", "cannot")) else grade.split("_")[-1]
        measured = {"ai_share": share, "pictures": 1234, "sources": 56, "split": "open_test", "tier": "web"}
        verdict = {
            "label": label, "probability_ai": 0.5, "decided_by": "model", "reason": "Why.", "grade": grade,
            "advice": ["original", "look_closely"], "measured": measured,
        }  # fmt: skip
        actual = page.evaluate(
            """async (verdict) => {
                const { explanation, heading } = await import("./assets/js/verdict-view.js");
                const record = { status: "ok", verdict, evidence: [] };
                return [heading(record), ...explanation(record)].map((part) => part.textContent);
            }""",
            verdict,
        )
        assert actual[0] == words.headline(label, "model", grade, [])
        assert actual[2] == f"{words.meaning(measured, grade)} {words.basis(measured)}"
        assert actual[3] == f"{words.t('decided')} {words.t('decided.model')}"
        assert actual[4].startswith(words.t("advice")) and words.t("advice.look_closely") in actual[4]
