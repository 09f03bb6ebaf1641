"""IPTC's Digital Source Type vocabulary, which XMP and C2PA share (cv.iptc.org/newscodes/digitalsourcetype).

`algorithmicMedia` points to nothing: by its definition the algorithm was not trained on sampled data (fractals,
patterns, procedural art), so it is not generative AI; and it is not a camera either.
"""

from __future__ import annotations

from ..types import PointsTo
from .table import TABLE

_PREFIXES = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/",
    "https://cv.iptc.org/newscodes/digitalsourcetype/",
    "http://c2pa.org/digitalsourcetype/",
    "https://c2pa.org/digitalsourcetype/",
    "digsrctype:",  # the vocabulary's own short form
)

MADE_BY_AI = "trainedAlgorithmicMedia"

# term -> what it points to, and its wording after "that it was ..."
SOURCE_TYPES: dict[str, tuple[PointsTo, str]] = {
    term: (points_to, words) for term, (points_to, words) in TABLE["source_types"].items()
}


def source_type(value: object) -> str | None:
    """The vocabulary's term in `value`, which may be its URI or the bare term; None for anything else."""
    if not isinstance(value, str):
        return None
    value = value.strip().removesuffix("/")
    for prefix in _PREFIXES:
        value = value.removeprefix(prefix)
    return value if value in SOURCE_TYPES else None
