"""IPTC photo metadata: the Digital Source Type in XMP, and the credit line that Google's tools write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..types import Evidence, PointsTo
from .source_types import SOURCE_TYPES, source_type
from .statements import evidence

_IPTC_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_SOURCE_TYPE_NAMES = (_IPTC_EXT + "DigitalSourceType", _IPTC_EXT + "DigitalSourceFileType")
_CREDIT = "{http://ns.adobe.com/photoshop/1.0/}Credit"
_CREDITS: dict[str, PointsTo] = {"Made with Google AI": "ai", "Edited with Google AI": "ai_edited"}
_MAX_DATA_SETS = 1_000


def read_iptc(xmp: Mapping[str, str], iim: bytes | None) -> list[Evidence]:
    found = []
    for name in _SOURCE_TYPE_NAMES:
        term = source_type(xmp.get(name))
        if term:
            found.append(_source_type_evidence(term))
            break
    credit = xmp.get(_CREDIT) or _iim_credit(iim or b"")
    if credit in _CREDITS:
        found.append(_credit_evidence(credit))
    return found


def _source_type_evidence(term: str) -> Evidence:
    points_to, words = SOURCE_TYPES[term]
    return evidence(
        "iptc",
        f"The file's IPTC metadata says that this picture was {words}.",
        "unsigned",
        points_to,
        proves="That whoever last wrote this file's metadata stated how the picture came to be.",
        does_not_prove="That the statement is true: it is not signed, and anyone can write, change or remove it.",
        digital_source_type=term,
    )


def _credit_evidence(credit: str) -> Evidence:
    return evidence(
        "iptc",
        f"The file's IPTC credit line reads “{credit}”.",
        "unsigned",
        _CREDITS[credit],
        proves="That the file carries the credit line that Google's generative tools write.",
        does_not_prove="That Google's tools wrote it: the line is not signed, and anyone can type it. "
        "Google's own invisible mark, SynthID, can only be checked by Google.",
        generator="Google AI",
        credit=credit,
    )


def _iim_credit(iim: bytes) -> str | None:
    """Data set 2:110 of an IPTC IIM block: 0x1C, record, data set, 16-bit size, value."""
    for record, data_set, value in _data_sets(iim):
        if (record, data_set) == (2, 110):
            return value.decode("utf-8", errors="replace").strip()
    return None


def _data_sets(iim: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    for _ in range(_MAX_DATA_SETS):
        if at + 5 > len(iim) or iim[at] != 0x1C:
            return
        size = int.from_bytes(iim[at + 3 : at + 5], "big")
        yield iim[at + 1], iim[at + 2], iim[at + 5 : at + 5 + size]
        at += 5 + size
