"""Private mode decides as Python does: verdict table, reason, SHA-256."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import asdict

import pytest

from imageprocess.types import GRADES, Evidence, Thresholds
from imageprocess.verdict import decide
from tests.support.browsing import Open

pytestmark = pytest.mark.e2e


MODES = {"high-confidence": {"ai": 0.95, "real": 0.04}, "balanced": {"ai": 0.8, "real": 0.2}}


def test_verdicts_match_python_for_every_evidence_set(open_static: Open) -> None:
    """Every set of up to three items of evidence, with several probabilities and thresholds."""
    items = [
        Evidence("c2pa", "Signed {ai}.", "trusted", "ai"),
        Evidence("c2pa", "Signed capture.", "trusted", "real"),
        Evidence("c2pa", "Unknown signer.", "valid_untrusted", "ai"),
        Evidence("c2pa", "Broken.", "broken", "nothing"),
        Evidence("watermark", "A mark.", "measured", "ai"),
        Evidence("generator_metadata", "A workflow.", "unsigned", "ai"),
        Evidence("iptc", "An edit.", "unsigned", "ai_edited"),
        Evidence("exif", "A camera.", "unsigned", "real"),
    ]
    settings = [None, Thresholds(0.8, 0.2), Thresholds(0.5, 0.5), Thresholds(0.995, 0.005)]
    cases: list[tuple[list[Evidence], Thresholds | None]] = []
    for size in range(4):
        for chosen in itertools.combinations(items, size):
            for p in (None, 0.0, 0.03, 0.125, 0.3, 0.46, 0.5, 0.6, 0.805, 0.9999):
                model = (
                    []
                    if p is None
                    else [
                        Evidence(
                            "model",
                            "m",
                            "measured",
                            "nothing",
                            {"probability_ai": p, "mode_thresholds": MODES},
                        )
                    ]
                )
                cases += [([*chosen, *model], thresholds) for thresholds in settings]
    measured = {grade: {"ai_share": 0.5, "of": grade} for grade in GRADES}
    expected = [asdict(decide(evidence, thresholds, measured)) for evidence, thresholds in cases]
    page = open_static("docs.html").page
    actual = page.evaluate(
        """async ([cases, measured]) => {
            const { decide } = await import("./assets/js/private/verdict.js");
            const table = await (await fetch("verdict.json")).json();
            return cases.map(([evidence, thresholds]) => decide(evidence, thresholds, table, measured));
        }""",
        [
            [
                [[asdict(item) for item in evidence], thresholds and asdict(thresholds)]
                for evidence, thresholds in cases
            ],
            measured,
        ],
    )
    assert len(cases) > 2500
    assert [{"measured": None, **verdict} for verdict in actual] == json.loads(json.dumps(expected))


def test_sha256_without_crypto_subtle(open_static: Open) -> None:
    """crypto.subtle is missing on plain http except on localhost."""
    import hashlib

    page = open_static("docs.html").page
    for size in (0, 1, 55, 56, 63, 64, 65, 1000, 100_003):
        data = bytes(i * 7 % 256 for i in range(size))
        actual = page.evaluate(
            """async (data) => {
                const { digestHere } = await import("./assets/js/private/sha256.js");
                return [...digestHere(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)))];
            }""",
            base64.b64encode(data).decode(),
        )
        assert bytes(actual) == hashlib.sha256(data).digest(), size


def test_translated_reason_formats_numbers(open_static: Open) -> None:
    thresholds = {"ai": 0.8, "real": 0.2}
    sure = {"probability_ai": 0.9999, "thresholds": thresholds}
    small = {**sure, "too_small": {"side": 150, "smallest": 200}}
    page = open_static("docs.html?lang=he").page
    reason, of_a_small_one = page.evaluate(
        """async (details) => {
            const { reason } = await import("./assets/js/wording.js");
            const record = (detail) => ({ evidence: [{ kind: "model", trust: "measured", points_to: "ai", detail }] });
            return details.map((detail) => reason(record(detail)));
        }""",
        [sure, small],
    )
    assert "over" not in reason and "99%" in reason and "80%" in reason
    assert "150" in of_a_small_one and "200" in of_a_small_one and "99%" in of_a_small_one
