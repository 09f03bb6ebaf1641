"""A Result for a person at a terminal."""

from __future__ import annotations

from ..model.calibrate import percent
from ..types import Evidence, Label, Result
from .marks import find_marks, marks_line

_WORDS: dict[Label, str] = {"ai": "AI-generated", "real": "real", "unsure": "unsure"}
# Of an item's detail: what a person is told of a generator's own record, and how much of each.
_RECORD = ("generator", "model", "prompt", "negative_prompt", "seed", "sampler")
_MAX_SHOWN = 200
_COLOURS: dict[Label, str] = {"ai": "31", "real": "32", "unsure": "33"}  # ANSI: red, green, yellow


def to_text(result: Result, *, colour: bool = False, marks: bool = False) -> str:
    """The verdict in words, its reason, and each item of evidence; no line break at the end. `marks`: with a line on
    the machine-readable marks, where all of them were looked for."""
    if result.error is not None:
        word = _paint(f"failed ({result.error.code})", "35", colour)
        return f"{safe(result.source)}: {word}\n  {safe(result.error.message)}"
    assert result.verdict is not None  # types.Result's promise
    verdict = result.verdict
    word = _paint(_WORDS[verdict.label], _COLOURS[verdict.label], colour)
    estimate = verdict.probability_ai if verdict.decided_by in ("model", "abstain") else None
    share = "" if estimate is None else f", {percent(estimate)} AI"
    lines = [f"{safe(result.source)}: {word}{share}", f"  {safe(verdict.reason)}"]
    for item in result.evidence:
        lines += [f"  - {item.kind} ({item.trust}): {safe(item.claim)}", *_detail(item)]
    if marks:
        lines.append(f"  {marks_line(find_marks(result.evidence))}")
    return "\n".join(lines)


def _detail(item: Evidence) -> list[str]:
    """What the item proves and what it does not, and what a generator left; nothing for the network's word."""
    told = item.detail
    lines = [f"      {name}: {safe(_cut(str(told[name])))}" for name in _RECORD if name in told]
    if "proves" in told:
        lines.append(f"      proves: {safe(told['proves'])}")
        lines.append(f"      does not prove: {safe(told['does_not_prove'])}")
    return lines


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[1;{code}m{text}\x1b[0m" if colour else text


def safe(text: str) -> str:
    """A file's name and metadata are a stranger's: no escape sequence, line break or bidi control acts."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
