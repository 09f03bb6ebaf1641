"""[Evidence] -> Verdict. The model testifies; this module alone decides. Pure: no I/O, no clock, no settings.

The truth table, first row that fits; verdict.json holds it, with the reasons, and the pages read the same file.
An "AI claim" is an item that points to "ai" and that anyone could have written: a generator's own metadata, an
IPTC value, an intact manifest by an untrusted signer, a manifest that nothing could verify.

    row  evidence                                                     label   decided_by  probability_ai
    1    trusted C2PA capture, and a trusted or marked or claimed AI  unsure  abstain     the model's
    2    trusted C2PA that says "made by an AI"                       ai      c2pa        1.0
    3    a watermark                                                  ai      watermark   1.0
    4    an AI claim, and the model is sure of the contrary           unsure  abstain     the model's
    5    an AI claim                                                  ai      metadata    1.0
    6    trusted C2PA capture, untouched                              real    c2pa        0.0
    7a   model: on a picture smaller than any it was trained on       unsure  abstain     the model's
    7    model: probability_ai >= thresholds.ai                       ai      model       the model's
    8    model: probability_ai <= thresholds.real                     real    model       the model's
    9    model: between the two                                       unsure  abstain     the model's
    10   nothing of these                                             unsure  abstain     None

"Sure of the contrary" is probability_ai <= 0.01 in every mode, not the mode's own threshold for "real": that one
says how many mistakes a person accepts where pixels are all there is, and with a weak model it lies so high that
honest records would be doubted by the dozen. Nobody gains much by writing a generator's record into a photograph,
so such a record is rarely false. A calibrated 0.01 (of a set half AI, half real) is 99 to 1 against an AI: it
outweighs a record only where at least one in a hundred such records is false, and a lesser certainty does not.
A mode that never abstains (thresholds.ai == thresholds.real) has to pick a side in row 4 as well: it follows the
claim, and the reason shows both. Nor does it know row 7a, which is there because the smaller a picture, the more
"real" it looks (measured: docs/experiments.md).

What never decides, whatever it says: EXIF camera facts; a claim of being real without a trusted signature; a
record that says "edited with an AI" (the reason tells it; who made the picture is left to the model); a
broken manifest (the reason warns of it); the absence of any mark.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .model.calibrate import percent
from .model.spec import Thresholds
from .types import Evidence, Verdict

__all__ = ["decide"]

_TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("verdict.json").read_text(encoding="utf-8"))


def decide(evidence: Sequence[Evidence], thresholds: Thresholds | None) -> Verdict:
    """The verdict on one picture. `thresholds` are those of the mode asked for, None when the model was not
    asked: a model's evidence without thresholds does not count.
    """
    model = next((item for item in evidence if item.kind == "model"), None) if thresholds else None
    p = None if model is None else float(model.detail["probability_ai"])
    items = _deciding(evidence)
    too_small = model.detail.get("too_small") if model else None
    facts = {name for name, item in items.items() if item} | _about_the_model(p, thresholds)
    if too_small:
        facts.add("too_small")
    row = next(row for row in _TABLE["rows"] if facts.issuperset(row["when"]))
    words = {name: item.claim for name, item in items.items() if item}
    words |= {name: str(px) for name, px in (too_small or {}).items()}
    if p is not None and thresholds is not None:
        words |= {"p": percent(p), "low": percent(thresholds.real), "high": percent(thresholds.ai)}
    reason = " ".join([row["reason"], *_asides(evidence, row["label"], words)])
    probability = p if row["probability_ai"] == "model" else row["probability_ai"]
    return Verdict(row["label"], probability, row["decided_by"], _filled(reason, words))


def _deciding(evidence: Sequence[Evidence]) -> dict[str, Evidence | None]:
    """The first item of each kind that the table's rows name."""
    items = {
        "signed_ai": _first(evidence, lambda e: _is_signed(e) and e.points_to == "ai"),
        "capture": _first(evidence, lambda e: _is_signed(e) and e.points_to == "real"),
        "mark": _first(evidence, lambda e: e.kind == "watermark" and e.points_to == "ai"),
        "claim": _first(evidence, _is_ai_claim),
    }
    return {**items, "says_ai": items["signed_ai"] or items["mark"] or items["claim"]}


def _about_the_model(p: float | None, thresholds: Thresholds | None) -> set[str]:
    if p is None or thresholds is None:
        return {"may_abstain"}
    facts = {
        "model": True,
        "model_ai": p >= thresholds.ai,
        "model_real": p <= thresholds.real,
        "model_sure_of_real": p <= _TABLE["sure_of_real"],
        "may_abstain": thresholds.real < thresholds.ai,
    }
    return {name for name, holds in facts.items() if holds}


def _first(evidence: Sequence[Evidence], fits: Callable[[Evidence], bool]) -> Evidence | None:
    return next((item for item in evidence if fits(item)), None)


def _is_signed(item: Evidence) -> bool:
    return item.kind == "c2pa" and item.trust == "trusted"


def _is_ai_claim(item: Evidence) -> bool:
    if item.points_to != "ai":
        return False
    if item.kind == "c2pa":
        return item.trust in ("valid_untrusted", "unsigned")
    return item.kind in ("iptc", "generator_metadata")


def _asides(evidence: Sequence[Evidence], label: str, words: dict[str, str]) -> list[str]:
    """What did not decide, but a person must hear beside the answer. Adds its claims to `words`."""
    found = {
        "edited": _first(evidence, lambda e: e.points_to == "ai_edited" and e.trust != "broken"),
        "broken": _first(evidence, lambda e: e.trust == "broken"),
    }
    if label == "ai":
        del found["edited"]
    words.update({name: item.claim for name, item in found.items() if item})
    return [_TABLE["asides"][name] for name, item in found.items() if item]


def _filled(template: str, words: dict[str, str]) -> str:
    """`template` with its {names} replaced, once: a claim may hold braces of its own."""
    parts = template.split("{")
    return parts[0] + "".join(
        words[name] + rest for name, _, rest in (part.partition("}") for part in parts[1:])
    )
