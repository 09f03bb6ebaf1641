"""Reads evidence from invisible watermarks that generators embed in the pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..types import DecodedImage, Evidence, ImageFacts

if TYPE_CHECKING:
    from .dwt_dct import Hit
    from .stealth import StealthRecord

__all__ = ["NOT_CHECKED", "read_watermarks"]

_MAX_CHROMA_STEP = 17.0  # quality 90 of libjpeg has 17.3

# Shown to users if no mark was found.
NOT_CHECKED = (
    "Only open watermarks can be read here. Google's SynthID and other watermarks with a secret key can be checked "
    "only by their makers, and most generators leave no watermark at all."
)


def read_watermarks(image: DecodedImage) -> list[Evidence]:
    """Evidence for each known mark in `image`. A missing mark proves nothing, see NOT_CHECKED."""
    from .dwt_dct import find_mark
    from .stealth import find_stealth_record

    if image.reduction > 1:  # a mark does not survive resizing
        return []
    evidence: list[Evidence] = []
    hit = find_mark(image.pixels) if _may_have_mark(image) else None
    if hit:
        evidence.append(_mark_evidence(hit))
    record = find_stealth_record(image.pixels, image.alpha)
    if record:
        evidence += _stealth_evidence(record, image.facts)
    return evidence


def _may_have_mark(image: DecodedImage) -> bool:
    """The dwtDct mark is in the finest detail of the chroma. With 4:2:0 subsampling and quantisation as coarse as in a
    JPEG of quality 90, it is unreadable (tests/watermark/test_gone.py), so the search, which takes as long as decoding,
    is skipped. At 4:4:4 a mark survives down to quality 80, and is searched."""
    return image.chroma_step is None or image.chroma_step < _MAX_CHROMA_STEP


def _mark_evidence(hit: Hit) -> Evidence:
    from ..provenance.statements import evidence

    generator, bits = hit.payload.generator, len(hit.payload.bits)
    return evidence(
        "watermark",
        f"The pixels contain the invisible watermark of {generator} ({bits - hit.wrong} of {bits} bits match).",
        "measured",
        "ai",
        proves="That this picture passed through software that writes this generator's watermark, and was hardly "
        "changed since.",
        does_not_prove="Who made it or how. The watermark's code is public, so it can also be written into a real "
        "picture on purpose.",
        generator=generator,
        method="dwtDct",
        bits=bits,
        wrong_bits=hit.wrong,
        blocks=hit.blocks,
    )


def _stealth_evidence(record: StealthRecord, facts: ImageFacts) -> list[Evidence]:
    """The hidden text is a record like those in metadata, and is read by the same readers."""
    from ..provenance.containers import Text
    from ..provenance.generators import read_generators
    from ..provenance.statements import evidence
    from ..provenance.texts import collect

    texts = collect([Text("pixels", "parameters", record.text)])
    items = []
    for item in read_generators(texts, facts)[0]:
        claim = f"Hidden in the pixels, {item.claim[0].lower()}{item.claim[1:]}"
        detail = {**item.detail, "method": "stealth", "place": record.place}
        items.append(replace(item, kind="watermark", claim=claim, detail=detail))
    return items or [
        evidence(
            "watermark",
            "The pixels contain a hidden text of the kind that some generators write, but it does not name "
            "a generator.",
            "unsigned",
            "nothing",
            proves="That a text was hidden in the lowest bits of the pixels.",
            does_not_prove="How the picture was made.",
            method="stealth",
            place=record.place,
            text=record.text[:200],
        )
    ]
