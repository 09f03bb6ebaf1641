"""IPTC's Digital Source Type vocabulary, which XMP and C2PA share (cv.iptc.org/newscodes/digitalsourcetype)."""

from __future__ import annotations

from ..types import PointsTo

_PREFIXES = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/",
    "https://cv.iptc.org/newscodes/digitalsourcetype/",
    "http://c2pa.org/digitalsourcetype/",
    "https://c2pa.org/digitalsourcetype/",
)

MADE_BY_AI = "trainedAlgorithmicMedia"
EDITED_WITH_AI = "compositeWithTrainedAlgorithmicMedia"
CAPTURES = {"digitalCapture", "computationalCapture"}
STITCHED = "compositeCapture"

# term -> what it testifies, and how to say it after "that it was ..."
SOURCE_TYPES: dict[str, tuple[PointsTo, str]] = {
    MADE_BY_AI: ("ai", "made by a generative AI"),
    # Synthetic by definition, though IPTC keeps it for algorithms without training data.
    "algorithmicMedia": ("ai", "made by an algorithm, with neither a camera nor a hand"),
    EDITED_WITH_AI: ("ai_edited", "edited with a generative AI"),
    "compositeSynthetic": ("ai_edited", "put together from parts, at least one of them synthetic"),
    "trainedAlgorithmicData": ("nothing", "derived from a trained model's data"),
    "composite": ("nothing", "put together from parts, which may be synthetic"),
    "digitalCapture": ("real", "taken with a digital camera"),
    "computationalCapture": ("real", "taken with a camera that computes the picture, as phones do"),
    STITCHED: ("real", "put together from several camera shots"),
    "negativeFilm": ("real", "digitised from a negative on film"),
    "positiveFilm": ("real", "digitised from a positive on film"),
    "print": ("real", "digitised from a print"),
    "humanEdits": ("nothing", "edited by a person"),
    "minorHumanEdits": ("nothing", "slightly edited by a person"),
    "digitalCreation": ("nothing", "drawn by a person with digital tools"),
    "digitalArt": ("nothing", "drawn by a person with digital tools"),
    "dataDrivenMedia": ("nothing", "drawn from data"),
    "screenCapture": ("nothing", "captured from a screen"),
    "virtualRecording": ("nothing", "recorded in a virtual scene"),
    "empty": ("nothing", "begun as an empty canvas"),
}


def source_type(value: object) -> str | None:
    """The vocabulary's term in `value`, which may be its address or the bare term; None for anything else."""
    if not isinstance(value, str):
        return None
    value = value.strip()
    for prefix in _PREFIXES:
        value = value.removeprefix(prefix)
    return value if value in SOURCE_TYPES else None
