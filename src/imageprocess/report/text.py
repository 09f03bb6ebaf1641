"""A Result for a person at a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..model.calibrate import percent
from ..types import Evidence, Label, Result, Verdict
from .marks import find_marks, marks_line

# The pages' words too (web/assets/js/wording.js): what a statement decides sounds different from what the model
# estimates.
_LABELS: dict[Label, str] = {"ai": "looks AI-made", "real": "looks real", "unsure": "cannot tell"}
_STATED = {"ai": "marked as AI-made", "real": "signed as real"}
_DECIDING = {
    "c2pa": ("c2pa",),
    "watermark": ("watermark",),
    "metadata": ("iptc", "generator_metadata", "c2pa"),
}
# Of an item's detail: what a person is told of a generator's own record, and how much of each.
_RECORD = ("generator", "model", "prompt", "negative_prompt", "seed", "sampler")
_MAX_SHOWN = 200
_COLOURS: dict[Label, str] = {"ai": "31", "real": "32", "unsure": "33"}  # ANSI: red, green, yellow


def to_text(result: Result, *, colour: bool = False, marks: bool = False) -> str:
    """The verdict in words, its reason, and each item of evidence; no line break at the end. `marks`: with a line on
    the machine-readable marks, where all of them were looked for."""
    if result.error is not None:
        word = _paint(f"failed ({result.error.code})", "35", colour)
        return f"{escaped(result.source)}: {word}\n  {escaped(result.error.message)}"
    assert result.verdict is not None  # types.Result's promise
    verdict = result.verdict
    word = _paint(escaped(headline(verdict, result.evidence)), _COLOURS[verdict.label], colour)
    lines = [f"{escaped(result.source)}: {word}", f"  {escaped(verdict.reason)}"]
    for item in result.evidence:
        if _is_told(item, verdict):
            continue
        lines += [f"  - {item.kind} ({item.trust}): {escaped(item.claim)}", *_detail(item)]
    if marks:
        lines.append(f"  {marks_line(find_marks(result.evidence))}")
    return "\n".join(lines)


def headline(verdict: Verdict, evidence: Sequence[Evidence]) -> str:
    """The verdict in a few words, with the maker's name where a record or a mark gives it."""
    kinds = _DECIDING.get(verdict.decided_by, ())
    if verdict.label == "ai":
        for item in evidence:
            if item.kind in kinds and item.points_to == "ai" and item.detail.get("generator"):
                maker = re.sub(r" \(.*\)$", "", str(item.detail["generator"]))
                says = "its watermark" if verdict.decided_by == "watermark" else "the file"
                return f"made with {_cut(maker)}, says {says}"
    return _STATED.get(verdict.label, "cannot tell") if kinds else _LABELS[verdict.label]


def _is_told(item: Evidence, verdict: Verdict) -> bool:
    """The model's probability stands in the reason where the model decides or abstains: once is enough."""
    probability = item.detail.get("probability_ai") if item.kind == "model" else None
    return probability is not None and percent(probability) in verdict.reason


def _detail(item: Evidence) -> list[str]:
    """What the item proves and what it does not, and what a generator left; nothing for the network's word."""
    told = item.detail
    lines = [f"      {name}: {escaped(_cut(str(told[name])))}" for name in _RECORD if name in told]
    if "proves" in told:
        lines.append(f"      proves: {escaped(told['proves'])}")
        lines.append(f"      does not prove: {escaped(told['does_not_prove'])}")
    return lines


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[1;{code}m{text}\x1b[0m" if colour else text


def escaped(text: str) -> str:
    """A file's name and metadata are a stranger's: no escape sequence, line break or bidi control acts."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
