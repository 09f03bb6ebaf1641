"""IPTC photo metadata: the Digital Source Type, the AI properties of 2025.1, and credit lines of AI tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..types import Evidence, PointsTo
from .source_types import SOURCE_TYPES, source_type
from .statements import evidence, printable
from .table import TABLE

_IPTC_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_SOURCE_TYPE_NAMES = (_IPTC_EXT + "DigitalSourceType", _IPTC_EXT + "DigitalSourceFileType")
_CREDIT = "{http://ns.adobe.com/photoshop/1.0/}Credit"
_CREDITS: dict[str, PointsTo] = TABLE["credits"]
_MAX_DATA_SETS = 1_000
_IIM_NAMES = {
    (2, 5): "ObjectName", (2, 40): "SpecialInstructions", (2, 65): "OriginatingProgram", (2, 80): "Byline",
    (2, 105): "Headline", (2, 110): "Credit", (2, 115): "Source", (2, 116): "CopyrightNotice",
    (2, 120): "CaptionAbstract",
}  # fmt: skip


def read_iptc(xmp: Mapping[str, str], iim: bytes | None) -> list[Evidence]:
    """The evidence in IPTC properties, in XMP or in an IPTC IIM block."""
    evidence = []
    term = next((term for term in (source_type(xmp.get(name)) for name in _SOURCE_TYPE_NAMES) if term), None)
    if term:
        evidence.append(_source_type_evidence(term))
    system = _ai_properties(xmp)
    if system:
        evidence.append(_ai_system_evidence(system, term))
    credit = xmp.get(_CREDIT) or iim_texts(iim).get("Credit")
    if credit in _CREDITS:
        evidence.append(_credit_evidence(credit))
    return evidence


def iim_texts(iim: bytes | None) -> dict[str, str]:
    """The texts of an IPTC IIM block by their names in the standard; of texts with the same name, the first."""
    texts: dict[str, str] = {}
    for record, data_set, value in _data_sets(iim or b""):
        name = _IIM_NAMES.get((record, data_set))
        text = value.decode("utf-8", errors="replace").strip()
        if name and text:
            texts.setdefault(name, text)
    return texts


def _source_type_evidence(term: str) -> Evidence:
    points_to, words = SOURCE_TYPES[term]
    return evidence(
        "iptc",
        f"The file's IPTC metadata says that this picture was {words}.",
        "unsigned",
        points_to,
        proves="That whoever last wrote this file's metadata stated how the picture was made.",
        does_not_prove="That the statement is true: it is not signed, and anyone can write, change or remove it.",
        digital_source_type=term,
    )


def _ai_properties(xmp: Mapping[str, str]) -> dict[str, str]:
    """The properties that IPTC Photo Metadata 2025.1 added for images made with AI systems."""
    names = ("AISystemUsed", "AISystemVersionUsed", "AIPromptInformation", "AIPromptWriterName")
    return {name: xmp[_IPTC_EXT + name] for name in names if xmp.get(_IPTC_EXT + name)}


def _ai_system_evidence(fields: Mapping[str, str], term: str | None) -> Evidence:
    """With a Digital Source Type `term`, that says what the AI system did; without, the properties claim that the
    system made the image."""
    system = fields.get("AISystemUsed")
    points_to: PointsTo = "ai" if term is None else SOURCE_TYPES[term][0]
    points_to = points_to if points_to in ("ai", "ai_edited") else "nothing"
    name = f" {printable(system, 80)}" if system else ""
    return evidence(
        "iptc",
        f"The file's IPTC metadata names the AI system{name} that was used for this picture.",
        "unsigned",
        points_to,
        proves="That whoever last wrote this file's metadata named an AI system or its prompt.",
        does_not_prove="That the statement is true: it is not signed, and anyone can write, change or remove it.",
        generator=system,
        model=fields.get("AISystemVersionUsed"),
        prompt=fields.get("AIPromptInformation"),
        prompt_writer=fields.get("AIPromptWriterName"),
    )


def _credit_evidence(credit: str) -> Evidence:
    is_google = credit.endswith("Google AI")
    maker = "Google" if is_google else "Apple"
    return evidence(
        "iptc",
        f"The file's IPTC credit line reads “{credit}”.",
        "unsigned",
        _CREDITS[credit],
        proves=f"That the file contains the credit line that {maker}'s generative tools write.",
        does_not_prove=f"That {maker}'s tools wrote it: the line is not signed, and anyone can type it."
        + (" Google's own invisible mark, SynthID, can be checked only by Google." if is_google else ""),
        generator=f"{maker} AI" if is_google else credit,
        credit=credit,
    )


def _data_sets(iim: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(record, data set, value) of each entry: 0x1C, record, data set, 16-bit size, value (IPTC IIM 4.2, chapter 3)."""
    at = 0
    for _ in range(_MAX_DATA_SETS):
        if at + 5 > len(iim) or iim[at] != 0x1C:
            return
        size = int.from_bytes(iim[at + 3 : at + 5], "big")
        yield iim[at + 1], iim[at + 2], iim[at + 5 : at + 5 + size]
        at += 5 + size
