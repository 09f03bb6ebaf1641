"""Formats a Result as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.evidence import percent
from ..types import Evidence, Grade, Result, Verdict
from . import words
from .marks import find_marks, marks_line

# Fields of a generator's record that are printed, with the maximum length of each.
_RECORD = ("generator", "model", "prompt", "negative_prompt", "seed", "sampler")
_MAX_CHARACTERS = 200
# ANSI: red, green, yellow; weak grades are not bold.
_COLOURS: dict[Grade, str] = {
    "very_likely_ai": "1;31", "likely_ai": "1;31", "leaning_ai": "31", "cannot_tell": "33",
    "leaning_real": "32", "likely_real": "1;32", "very_likely_real": "1;32",
}  # fmt: skip


def to_text(result: Result, *, colour: bool = False, marks: bool = False) -> str:
    """The verdict in words, its reason, and each item of evidence, without a line break at the end. `marks`: add a line
    on machine-readable marks; only if all checks for them were run."""
    if result.error is not None:
        word = _paint(f"failed ({result.error.code})", "1;35", colour)
        return f"{escaped(result.source)}: {word}\n  {escaped(result.error.message)}"
    assert result.verdict is not None  # guaranteed by Result
    verdict = result.verdict
    grade = words.grade_of(verdict.label, verdict.grade)
    word = _paint(escaped(headline(verdict, result.evidence)), _COLOURS[grade], colour)
    lines = [f"{escaped(result.source)}: {word}", f"  {escaped(verdict.reason)}"]
    if verdict.measured:
        lines.append(f"  {words.meaning(verdict.measured, grade)} ({words.basis(verdict.measured)})")
    lines += [f"  {escaped(sentence)}" for item in result.evidence for sentence in _model_details(item)]
    for item in result.evidence:
        if _is_in_reason(item, verdict):
            continue
        lines += [f"  - {item.kind} ({item.trust}): {escaped(item.claim)}", *_detail(item)]
    if verdict.advice:
        lines.append(
            f"  {words.t('advice')} {' '.join(words.t(f'advice.{name}') for name in verdict.advice)}"
        )
    if marks:
        lines.append(f"  {marks_line(find_marks(result.evidence))}")
    return "\n".join(lines)


def headline(verdict: Verdict, evidence: Sequence[Evidence]) -> str:
    """The verdict in a few words, printed after an image's name."""
    items = [(item.kind, item.points_to, item.detail) for item in evidence]
    text = words.headline(verdict.label, verdict.decided_by, verdict.grade, items)
    return text[0].lower() + text[1:]


def _is_in_reason(item: Evidence, verdict: Verdict) -> bool:
    """The reason already states the model's probability if the model decides or abstains, so it is not repeated."""
    probability = item.detail.get("probability_ai") if item.kind == "model" else None
    return probability is not None and percent(probability) in verdict.reason


def _model_details(item: Evidence) -> list[str]:
    """Sentences on the likely generator and the explanation, if the evidence has them."""
    maker = words.maker(item.detail["maker"]) if "maker" in item.detail else None
    explanation = words.explanation(item.detail["explain"]) if "explain" in item.detail else []
    return [*([maker] if maker else []), *explanation]


def _detail(item: Evidence) -> list[str]:
    """What the item proves and does not prove, and a generator's settings; empty for the model's evidence."""
    detail = item.detail
    lines = [f"      {name}: {escaped(_truncate(str(detail[name])))}" for name in _RECORD if name in detail]
    if "proves" in detail:
        lines.append(f"      proves: {escaped(detail['proves'])}")
        lines.append(f"      does not prove: {escaped(detail['does_not_prove'])}")
    return lines


def _truncate(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def escaped(text: str) -> str:
    """`text` with control characters, line breaks and bidi controls escaped: file names and metadata are untrusted."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
