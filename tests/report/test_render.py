"""The output formats text, CSV, JSON and JSONL."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageprocess.report.render import FORMATS, render
from imageprocess.report.table import to_csv_row
from imageprocess.report.text import headline, to_text
from imageprocess.types import (
    DecidedBy,
    ErrorInfo,
    Evidence,
    EvidenceKind,
    ImageFacts,
    Label,
    Result,
    Verdict,
)

EVIDENCE = Evidence("exif", "Camera: Acme.", "unsigned")
MODEL = Evidence("model", "The chance is 4 %.", "measured", "real", {"probability_ai": 0.04})
FAILED = Result("broken.png", "error", error=ErrorInfo("corrupt", "broken.png: does not decode"))


def ok(source: str = "a.png", label: Label = "real", probability: float | None = 0.04) -> Result:
    return Result(
        source=source,
        status="ok",
        sha256="ab" * 32,
        image=ImageFacts("PNG", 4, 3, 1, 99),
        verdict=Verdict(label, probability, "model", "Looks real, mostly."),
        evidence=(EVIDENCE,),
        elapsed_ms=1.5,
    )


def test_text_has_verdict_reason_and_evidence() -> None:
    assert to_text(ok()) == "a.png: likely real\n  Looks real, mostly.\n  - exif (unsigned): Camera: Acme."
    assert to_text(ok(label="unsure", probability=None)).splitlines()[0] == "a.png: cannot tell"
    by_record = Verdict("ai", 1.0, "metadata", "It says so.")  # a claim, not an estimate of 100 %
    result = replace(ok(), verdict=by_record, evidence=(MODEL,))
    assert to_text(result) == f"a.png: marked as AI-made\n  It says so.\n  - model (measured): {MODEL.claim}"
    assert to_text(FAILED) == "broken.png: failed (corrupt)\n  broken.png: does not decode"


@pytest.mark.parametrize(
    ("kind", "decided_by", "text"),
    [
        ("generator_metadata", "metadata", "made with Midjourney, according to the file"),
        ("c2pa", "c2pa", "made with Midjourney, according to the file"),
        ("watermark", "watermark", "made with Midjourney, according to its watermark"),
        ("generator_metadata", "model", "likely AI-made"),
        ("exif", "metadata", "marked as AI-made"),
    ],
)
def test_headline_names_generator(kind: EvidenceKind, decided_by: DecidedBy, text: str) -> None:
    item = Evidence(kind, "It says so.", "unsigned", "ai", {"generator": "Midjourney (v7)"})
    assert headline(Verdict("ai", 1.0, decided_by, "It says so."), [item]) == text
    assert headline(Verdict("real", 0.0, "c2pa", "Signed."), [item]) == "signed as real"


def test_text_has_grade_and_measured_share() -> None:
    measured = {"ai_share": 0.234, "pictures": 1234, "sources": 56}
    verdict = Verdict(
        "unsure", 0.3, "abstain", "Why.", "leaning_real", ("original", "look_closely"), measured
    )
    first, second, third, *_, last = to_text(replace(ok(), verdict=verdict)).splitlines()
    assert (first, second) == ("a.png: leaning real", "  Why.")
    assert "77 of 100" in third and "were real" in third and "1,234 pictures from 56 sources" in third
    assert last.startswith("  What you can do: Ask for the original file") and "hands" in last
    one_sided = replace(verdict, grade="very_likely_ai", label="ai", measured={**measured, "ai_share": 1.0})
    assert "over 99 of 100" in to_text(replace(ok(), verdict=one_sided))


def test_text_has_proof_scope_and_generator_settings() -> None:
    detail = {
        "proves": "This.",
        "does_not_prove": "That.",
        "prompt": "a\x1b[2J fox" + "x" * 999,
        "seed": 7,
        "signals": [],
    }
    item = Evidence("generator_metadata", "A record.", "unsigned", "ai", detail)
    first, *rest = to_text(replace(ok(), evidence=(item,))).splitlines()[2:]
    assert first == "  - generator_metadata (unsigned): A record."
    assert rest[0].startswith("      prompt: a\\x1b[2J foxxx") and len(rest[0]) < 250
    assert rest[1:] == ["      seed: 7", "      proves: This.", "      does not prove: That."]


def test_text_names_searched_watermarks() -> None:
    *rest, last = to_text(ok(), marks=True).splitlines()
    assert "\n".join(rest) == to_text(ok())
    assert last.startswith("  Machine-readable marks") and "not found: Content Credentials" in last


@pytest.mark.parametrize("result", [ok(), ok(label="ai"), ok(label="unsure"), FAILED])
def test_colour_does_not_change_text(result: Result) -> None:
    painted = to_text(result, colour=True)
    assert "\x1b[" in painted
    assert "\x1b[" not in to_text(result)
    assert painted.count("\x1b[") == 2 and painted.count("\x1b[0m") == 1


def test_control_characters_in_names_are_escaped() -> None:
    text = to_text(ok(source="a\x1b[2J\nb\r\u202eгиф\ud800.png"))
    assert text.splitlines()[0] == "a\\x1b[2J\\nb\\r\\u202eгиф\\ud800.png: likely real"


@given(st.text())
def test_any_name_stays_on_one_line(name: str) -> None:
    assert len(to_text(ok(source=name)).splitlines()) == 3


def test_csv_rows_and_columns() -> None:
    text = "".join(render([ok(), FAILED], "csv"))
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["source"], first["label"], first["probability_ai"], first["width"]) == (
        "a.png",
        "real",
        "0.04",
        "4",
    )
    assert first["reason"] == "Looks real, mostly."
    assert first["evidence"] == "exif (unsigned): Camera: Acme."
    assert (second["status"], second["label"], second["error_code"]) == ("error", "", "corrupt")
    assert None not in first and None not in second and None not in first.values()


@pytest.mark.parametrize(
    ("maker", "cell"),
    [("flux", "flux"), ({"name": "flux", "top": []}, "flux"), ({"name": None}, ""), (None, "")],
)
def test_csv_names_generator_family(maker: object, cell: str) -> None:
    model = replace(MODEL, detail={**MODEL.detail, "maker": maker})
    (row,) = csv.DictReader(io.StringIO("".join(render([replace(ok(), evidence=(EVIDENCE, model))], "csv"))))
    assert row["maker"] == cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_csv_cells_are_never_formulas(start: str) -> None:
    (row,) = csv.reader(io.StringIO(to_csv_row(ok(source=start + 'cmd|" /C calc"!A0')), newline=""))
    assert row[0] == "'" + start + 'cmd|" /C calc"!A0'


def test_json_is_array_and_jsonl_is_lines() -> None:
    for results in ([], [ok()], [ok(), FAILED, ok("ü.png")]):
        array = json.loads("".join(render(results, "json")))
        lines = [json.loads(line) for line in "".join(render(results, "jsonl")).splitlines()]
        assert array == lines
        assert [record["source"] for record in array] == [result.source for result in results]


@pytest.mark.parametrize("form", FORMATS)
def test_results_are_written_as_they_arrive(form: str) -> None:
    def results() -> Iterator[Result]:
        yield ok("first.png")
        raise AssertionError("read ahead")

    output = ""
    for text in render(results(), form):  # type: ignore[arg-type]
        output += text
        if "first.png" in output:
            break
    assert "first.png" in output


@given(st.text())
def test_every_format_accepts_any_name(name: str) -> None:
    for form in FORMATS:
        assert "".join(render([ok(source=name)], form)).encode("utf-8", "backslashreplace")
