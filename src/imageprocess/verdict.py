"""[Evidence] -> Verdict. Verdicts are decided only here. Pure: no I/O, no clock, no settings.

The decision table; the first row that matches decides. verdict.json contains it with the reasons; the web pages read
the same file.
An "AI claim" is an item that points to "ai" and that anyone could have written: a generator's own metadata, an
IPTC value, an intact manifest by an untrusted signer, a manifest that nothing could verify.

    row  evidence                                                  label   decided_by  probability_ai  grade
    1    trusted C2PA capture, and trusted, marked or claimed AI    unsure  abstain     the model's     cannot tell
    2    trusted C2PA that says "made by an AI"                    ai      c2pa        1.0             very likely AI
    3    a watermark                                               ai      watermark   1.0             very likely AI
    4    an AI claim, and the model is sure of the contrary        unsure  abstain     the model's     cannot tell
    5    an AI claim                                               ai      metadata    counted         likely AI
    6    trusted C2PA capture, untouched                           real    c2pa        0.0             very likely real
    7b   model: on a picture that is blank, or nearly so           unsure  abstain     None            cannot tell
    7a   model: on a picture smaller than any it was trained on    unsure  abstain     the model's     cannot tell
    7    model: probability_ai >= thresholds.ai                    ai      model       the model's     the model's
    8    model: probability_ai <= thresholds.real                  real    model       the model's     the model's
    9a   model: between the two, nearer to AI                      unsure  abstain     the model's     the model's
    9b   model: between the two, nearer to real                    unsure  abstain     the model's     the model's
    9    model: between the two, near a half                       unsure  abstain     the model's     cannot tell
    10   nothing of these                                          unsure  abstain     None            cannot tell

The grade of the model's answer follows from its calibrated probability and from the thresholds of two modes, whatever
mode was chosen: "very likely" beyond those of high-confidence, "likely" beyond those of balanced, "leaning" from
there to within 0.05 of a half, where it cannot tell. A grade never contradicts the label: a mode that always picks a
side makes it at least "leaning" to that side.

"Sure of the contrary" is probability_ai at or below the threshold for "real" of the high-confidence mode, in every
mode; never of a blank picture or one smaller than any it was trained on. Each model's own calibration sets it: at most
one in 200 of the AI pictures of the calibration data scores that low (train/thresholds.py). The threshold of the
chosen mode is unsuitable: it sets the errors that are accepted if pixels are the only evidence, and would reject many
true records. A mode that never abstains (thresholds.ai == thresholds.real) has to choose a side in row 4 as well: it
follows the claim, and the reason gives both. It skips rows 7b and 7a too; the latter exists because smaller pictures
score more "real" (docs/experiments.md).

Anyone can write a claim, so row 5 gives the measured share of true claims (`claims` in verdict.json, written by
bench/claims.py). Evidence against an "ai" that a record or a watermark decides is given in the reason (camera
metadata, a claim of being real, the model); the grade is then one step weaker, and a claim has no probability, because
too few such cases were measured. The model's estimate is in its evidence.

These never decide: EXIF camera metadata; a claim of being real without a trusted signature; a record that says
"edited with an AI" (given in the reason; the model decides who made the picture); a broken manifest (the reason warns
of it); the absence of any mark.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .model.evidence import percent
from .types import Evidence, Grade, Label, Thresholds, Verdict

__all__ = ["decide", "grade", "is_ai_claim"]

_AGAINST = (
    "model_against",
    "camera",
    "says_real",
)  # asides that weaken the grade of an "ai" that no model decided
_TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("verdict.json").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class _Model:
    """The model's output, as used in the conditions of the decision table."""

    p: float
    thresholds: Thresholds  # of the chosen mode
    modes: Mapping[str, Mapping[str, float]]  # every mode's
    too_small: Mapping[str, int] | None
    blank: bool

    @property
    def grade(self) -> Grade:
        return grade(self.p, self.modes)

    @property
    def can_judge(self) -> bool:
        """Whether the picture is of a kind that the model was trained on."""
        return not self.blank and self.too_small is None

    def facts(self) -> set[str]:
        sure = self.modes.get(_TABLE["sure_of_real"])
        facts = {
            "model": True,
            "model_ai": self.p >= self.thresholds.ai,
            "model_real": self.p <= self.thresholds.real,
            "model_sure_of_real": sure is not None and self.p <= sure["real"] and self.can_judge,
            "may_abstain": self.thresholds.real < self.thresholds.ai,
            "leans_ai": self.grade.endswith("_ai"),
            "leans_real": self.grade.endswith("_real"),
            "too_small": self.too_small is not None,
            "blank": self.blank,
        }
        return {name for name, holds in facts.items() if holds}

    def placeholders(self) -> dict[str, str]:
        """Values for the placeholders of a reason."""
        limits = self.thresholds
        values = {"p": percent(self.p), "low": percent(limits.real), "high": percent(limits.ai)}
        return values | {name: str(px) for name, px in (self.too_small or {}).items()}


def decide(
    evidence: Sequence[Evidence],
    thresholds: Thresholds | None,
    measured: Mapping[str, Any] | None = None,
) -> Verdict:
    """The verdict on one picture. `thresholds`: of the chosen mode; None ignores evidence of the model. `measured`: the
    measured accuracy per grade (`grades` in the model's measurements).
    """
    model = _model(evidence, thresholds)
    items = _deciding(evidence)
    facts = {name for name, item in items.items() if item} | (model.facts() if model else {"may_abstain"})
    row = next(row for row in _TABLE["rows"] if facts.issuperset(row["when"]))
    asides = _asides(evidence, row, facts)
    placeholders = {name: item.claim for name, item in (items | asides).items() if item}
    placeholders |= model.placeholders() if model else {}
    reason = " ".join([row["reason"], *(_TABLE["asides"][name] for name in asides)])
    base = row["grade"] if row["grade"] != "model" or model is None else model.grade
    if "contested" in row and not asides.keys().isdisjoint(_AGAINST):
        base = row["contested"]
    final = _grade_for_label(base, row["label"])
    is_estimate = row.get("measured", False) and final == base
    return Verdict(
        label=row["label"],
        probability_ai=_probability(row, model, contested=base == row.get("contested")),
        decided_by=row["decided_by"],
        reason=_fill(reason, placeholders),
        grade=final,
        advice=tuple(row["advice"]),
        measured=measured.get(final) if measured and is_estimate else None,
    )


def _probability(row: dict[str, Any], model: _Model | None, *, contested: bool) -> float | None:
    stated: float | str | None = row["probability_ai"]
    if stated == "model":
        return model.p if model else None
    if stated == "claims":
        measured: float | None = _TABLE["claims"]["probability_ai"]
        return None if contested else measured
    return float(stated) if stated is not None else None


def grade(p: float, modes: Mapping[str, Mapping[str, float]]) -> Grade:
    """The grade of the probability `p` (0 to 1), by the thresholds of the modes (mode -> "ai" and "real")."""
    rules = _TABLE["grades"]
    for strength in ("very_likely", "likely"):
        limits = modes.get(rules[strength])
        if limits and p >= limits["ai"] > limits["real"]:
            return _grade(strength, "ai")
        if limits and p <= limits["real"] < limits["ai"]:
            return _grade(strength, "real")
    if abs(p - 0.5) < rules["leaning"]:
        return "cannot_tell"
    return _grade("leaning", "ai" if p > 0.5 else "real")


def _grade(strength: str, side: str) -> Grade:
    name: Grade = f"{strength}_{side}"  # type: ignore[assignment]
    return name


def _grade_for_label(base: Grade, label: Label) -> Grade:
    """`base`, or "leaning" to the label if `base` is on the other side."""
    return base if label == "unsure" or base.endswith(f"_{label}") else _grade("leaning", label)


def _model(evidence: Sequence[Evidence], thresholds: Thresholds | None) -> _Model | None:
    item = _first(evidence, lambda e: e.kind == "model")
    if item is None or thresholds is None:
        return None
    detail = item.detail
    return _Model(
        float(detail["probability_ai"]), thresholds, detail.get("mode_thresholds", {}), detail.get("too_small"),
        bool(detail.get("blank")),
    )  # fmt: skip


def _deciding(evidence: Sequence[Evidence]) -> dict[str, Evidence | None]:
    """The first item of evidence for each condition of the rows."""
    items = {
        "signed_ai": _first(evidence, lambda e: _is_signed(e) and e.points_to == "ai"),
        "capture": _first(evidence, lambda e: _is_signed(e) and e.points_to == "real"),
        "mark": _first(evidence, lambda e: e.kind == "watermark" and e.points_to == "ai"),
        "claim": _first(evidence, is_ai_claim),
    }
    return {**items, "says_ai": items["signed_ai"] or items["mark"] or items["claim"]}


def _asides(evidence: Sequence[Evidence], row: dict[str, Any], facts: set[str]) -> dict[str, Evidence | None]:
    """The asides of the reason: evidence that does not decide but must be given, by the name of its aside."""
    is_ai = row["label"] == "ai"
    asides: dict[str, Evidence | None] = {}
    if is_ai or not {"claim", "leans_ai"}.isdisjoint(row["when"]):
        asides["camera"] = _first(evidence, lambda e: e.kind == "exif" and e.points_to == "real")
        asides["says_real"] = _first(
            evidence,
            lambda e: e.kind not in ("exif", "model") and e.points_to == "real" and not _is_signed(e),
        )
    if not is_ai:
        asides["edited"] = _first(evidence, lambda e: e.points_to == "ai_edited" and e.trust != "broken")
    asides["broken"] = _first(evidence, lambda e: e.trust == "broken")
    present: dict[str, Evidence | None] = {name: item for name, item in asides.items() if item}
    if "blank" in facts and row["row"] != "7b":
        present["blank"] = None
    against = is_ai and row["decided_by"] != "model" and "model_real" in facts
    return {**({"model_against": None} if against else {}), **present}


def _first(evidence: Sequence[Evidence], matches: Callable[[Evidence], bool]) -> Evidence | None:
    return next((item for item in evidence if matches(item)), None)


def _is_signed(item: Evidence) -> bool:
    return item.kind == "c2pa" and item.trust == "trusted"


def is_ai_claim(item: Evidence) -> bool:
    """Whether the item says that an AI made the image, without a signature or watermark to back it."""
    if item.points_to != "ai":
        return False
    if item.kind == "c2pa":
        return item.trust in ("valid_untrusted", "unsigned")
    return item.kind in ("iptc", "generator_metadata")


def _fill(template: str, placeholders: dict[str, str]) -> str:
    """`template` with its {names} replaced in one pass, since a claim may contain braces."""
    parts = template.split("{")
    return parts[0] + "".join(
        placeholders[name] + rest for name, _, rest in (part.partition("}") for part in parts[1:])
    )
