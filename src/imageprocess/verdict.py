"""[Evidence] -> Verdict. The model testifies; this module alone decides. Pure: no I/O, no clock, no settings.

The truth table, first row that fits. An "AI claim" is an item that points to "ai" and that anyone could
have written: a generator's own metadata, an IPTC value, an intact manifest by an untrusted signer.

    row  evidence                                                     label   decided_by  probability_ai
    1    trusted C2PA capture, and a trusted or marked or claimed AI  unsure  abstain     the model's
    2    trusted C2PA that says "made by an AI"                       ai      c2pa        1.0
    3    a watermark                                                  ai      watermark   1.0
    4    an AI claim, and the model is sure of the contrary           unsure  abstain     the model's
    5    an AI claim                                                  ai      metadata    1.0
    6    trusted C2PA capture, untouched                              real    c2pa        0.0
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
claim, and the reason shows both.

What never decides, whatever it says: EXIF camera facts; a claim of being real without a trusted signature; a
record that says "edited with an AI" (the reason tells it; who made the picture is left to the model); a
broken manifest (the reason warns of it); the absence of any mark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .model.calibrate import percent
from .model.spec import Thresholds
from .types import Evidence, Verdict

__all__ = ["decide"]

_SURE_OF_REAL = 0.01  # probability_ai; the docstring says why


def decide(evidence: Sequence[Evidence], thresholds: Thresholds | None) -> Verdict:
    """The verdict on one picture. `thresholds` are those of the mode asked for, None when the model was not
    asked: a model's evidence without thresholds does not count.
    """
    model = next((item for item in evidence if item.kind == "model"), None) if thresholds else None
    probability = None if model is None else float(model.detail["probability_ai"])
    verdict = _decide(evidence, probability, thresholds)
    reason = " ".join([verdict.reason, *_asides(evidence, verdict)])
    return Verdict(verdict.label, verdict.probability_ai, verdict.decided_by, reason)


def _decide(evidence: Sequence[Evidence], p: float | None, thresholds: Thresholds | None) -> Verdict:
    signed_ai = _first(evidence, lambda e: e.kind == "c2pa" and e.trust == "trusted" and e.points_to == "ai")
    capture = _first(evidence, lambda e: e.kind == "c2pa" and e.trust == "trusted" and e.points_to == "real")
    mark = _first(evidence, lambda e: e.kind == "watermark" and e.points_to == "ai")
    claim = _first(evidence, _is_ai_claim)
    says_ai = signed_ai or mark or claim
    if capture and says_ai:
        return Verdict(
            "unsure", p, "abstain", f"The evidence contradicts itself: {capture.claim} But: {says_ai.claim}"
        )
    if signed_ai:
        return Verdict("ai", 1.0, "c2pa", signed_ai.claim)
    if mark:
        return Verdict("ai", 1.0, "watermark", mark.claim)
    if claim:
        return _weigh_claim(claim, p, thresholds)
    if capture:
        doubt = _disagreement(p, thresholds)
        return Verdict("real", 0.0, "c2pa", f"{capture.claim}{doubt}")
    if p is None or thresholds is None:
        return Verdict(
            "unsure", None, "abstain", "Nothing in the file decides how it was made, and no model was asked."
        )
    return _ask_model(p, thresholds)


def _first(evidence: Sequence[Evidence], fits: Callable[[Evidence], bool]) -> Evidence | None:
    return next((item for item in evidence if fits(item)), None)


def _is_ai_claim(item: Evidence) -> bool:
    if item.points_to != "ai":
        return False
    if item.kind == "c2pa":
        return item.trust == "valid_untrusted"
    return item.kind in ("iptc", "generator_metadata")


def _weigh_claim(claim: Evidence, p: float | None, thresholds: Thresholds | None) -> Verdict:
    caveat = "Anyone can write or remove such a record; it is taken at its word."
    if p is None or thresholds is None or p > _SURE_OF_REAL:
        return Verdict("ai", 1.0, "metadata", f"{claim.claim} {caveat}")
    contrary = f"the model is sure of a real picture ({percent(p)} AI)."
    if thresholds.real >= thresholds.ai:  # a mode that never abstains
        return Verdict("ai", 1.0, "metadata", f"{claim.claim} {caveat} Against it, {contrary}")
    return Verdict("unsure", p, "abstain", f"{claim.claim} Anyone can write such a record, and {contrary}")


def _disagreement(p: float | None, thresholds: Thresholds | None) -> str:
    if p is None or thresholds is None or p < thresholds.ai:
        return ""
    return f" The model disagrees ({percent(p)} AI); the signature weighs more."


def _ask_model(p: float, thresholds: Thresholds) -> Verdict:
    chance = f"the model puts the chance that an AI made it at {percent(p)}"
    if p >= thresholds.ai:
        bar = f"this setting says AI from {percent(thresholds.ai)}"
        return Verdict("ai", p, "model", f"The pixels look AI-made: {chance} ({bar}).")
    if p <= thresholds.real:
        bar = f"this setting says real up to {percent(thresholds.real)}"
        return Verdict("real", p, "model", f"The pixels look like a real picture: {chance} ({bar}).")
    bar = f"between {percent(thresholds.real)} and {percent(thresholds.ai)} this setting gives no answer"
    return Verdict("unsure", p, "abstain", f"The pixels do not tell clearly: {chance} ({bar}).")


def _asides(evidence: Sequence[Evidence], verdict: Verdict) -> list[str]:
    """What did not decide, but a person must hear beside the answer."""
    asides = []
    edited = _first(evidence, lambda e: e.points_to == "ai_edited" and e.trust != "broken")
    if edited and verdict.label != "ai":
        asides.append(f"Mind: {edited.claim}")
    broken = _first(evidence, lambda e: e.trust == "broken")
    if broken:
        asides.append(f"Warning: {broken.claim}")
    return asides
