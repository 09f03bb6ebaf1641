"""Reads the EXIF fields that describe the origin of an image from a TIFF structure (TIFF 6.0, CIPA DC-008)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .containers.jpeg import photoshop_iptc
from .texts import json_part, parse_json

_MAX_ENTRIES = 512  # of one directory
_MAX_VALUE_BYTES = 16_000_000

_TEXTS = {
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x0132: "DateTime",
    0x013B: "Artist",
    0x013C: "HostComputer",
    0x8298: "Copyright",
    0x9003: "DateTimeOriginal",
    0xA430: "CameraOwnerName",
    0xA433: "LensMake",
    0xA434: "LensModel",
    0x88A0: "XiaomiAIGC",  # Xiaomi's name for it; a label of GB 45438 is recognised in any text
}
_WIDE_TEXTS = {  # UTF-16, as Windows writes them
    0x9C9B: "XPTitle", 0x9C9C: "XPComment", 0x9C9D: "XPAuthor", 0x9C9E: "XPKeywords", 0x9C9F: "XPSubject",
}  # fmt: skip
_NUMBERS = {0x829A: "exposure_time_s", 0x829D: "f_number", 0x8827: "iso", 0x920A: "focal_length_mm"}
_USER_COMMENT = 0x9286
_CODES = (b"", b"ASCII", b"JIS", b"UNICODE")
_BLANKS = "\0 \n\r\t"
_EXIF_DIRECTORY = 0x8769
_MAKER_NOTE, _HUAWEI, _HUAWEI_AI_EDIT = 0x927C, b"HUAWEI\0\0", 0x0212  # names from OpenHarmony's libexif
_XMP, _IPTC, _PHOTOSHOP, _C2PA = (
    0x02BC,
    0x83BB,
    0x8649,
    0xCD41,
)  # in TIFF files; EXIF blocks do not have them
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 13: 4}
_RECORD_SIGNATURE = re.compile(r"Steps: \d|Negative prompt:|Job ID: [\da-f]{8}-|\" -s ?\d")

_Order = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class Exif:
    """Texts by their EXIF names, trimmed, never empty. For a TIFF file, also its embedded records."""

    texts: dict[str, str]
    numbers: dict[str, float]
    xmp: bytes | None = None
    iptc_iim: bytes | None = None
    manifest_store: bytes | None = None


def read_exif(tiff: bytes | None) -> Exif:
    """Reads the first directory and its EXIF directory. Never raises: a damaged block gives the fields that are
    readable."""
    order = _byte_order(tiff or b"")
    if tiff is None or order is None:
        return Exif({}, {})
    fields = dict(_entries(tiff, int.from_bytes(tiff[4:8], order), order))
    if _EXIF_DIRECTORY in fields:
        fields = {**dict(_entries(tiff, int.from_bytes(fields[_EXIF_DIRECTORY], order), order)), **fields}
    texts = {name: _text(fields[tag]) for tag, name in _TEXTS.items() if tag in fields}
    texts |= {name: _wide_text(fields[tag]) for tag, name in _WIDE_TEXTS.items() if tag in fields}
    texts["UserComment"] = _user_comment(fields.get(_USER_COMMENT, b""), order)
    texts["Huawei:AiEdit"] = _huawei_ai_edit(fields.get(_MAKER_NOTE, b""))
    numbers = {name: _number(fields[tag], order) for tag, name in _NUMBERS.items() if tag in fields}
    return Exif(
        {name: text for name, text in texts.items() if text},
        {name: number for name, number in numbers.items() if number},
        fields.get(_XMP),
        fields.get(_IPTC) or photoshop_iptc(fields.get(_PHOTOSHOP, b"")),
        fields.get(_C2PA),
    )


def _huawei_ai_edit(maker_note: bytes) -> str:
    """The value of Huawei's field for images that its editor changed with AI; "" without the field. After its prefix,
    the maker note is a TIFF structure."""
    tiff = maker_note.removeprefix(_HUAWEI)
    order = _byte_order(tiff)
    if order is None or not maker_note.startswith(_HUAWEI):
        return ""
    entry = dict(_entries(tiff, int.from_bytes(tiff[4:8], order), order)).get(_HUAWEI_AI_EDIT)
    return str(int.from_bytes(entry, order)) if entry else ""


def _byte_order(tiff: bytes) -> _Order | None:
    if tiff[:4] == b"II*\0":
        return "little"
    return "big" if tiff[:4] == b"MM\0*" else None


def _entries(tiff: bytes, at: int, order: _Order) -> Iterator[tuple[int, bytes]]:
    """(tag, value bytes) of one directory."""
    count = int.from_bytes(tiff[at : at + 2], order)
    for entry in range(at + 2, at + 2 + 12 * min(count, _MAX_ENTRIES), 12):
        if entry + 12 > len(tiff):
            return
        kind = int.from_bytes(tiff[entry + 2 : entry + 4], order)
        size = int.from_bytes(tiff[entry + 4 : entry + 8], order) * _TYPE_SIZES.get(kind, 0)
        start = entry + 8 if size <= 4 else int.from_bytes(tiff[entry + 8 : entry + 12], order)
        if 0 < size <= _MAX_VALUE_BYTES and start + size <= len(tiff):
            yield int.from_bytes(tiff[entry : entry + 2], order), tiff[start : start + size]


def _number(raw: bytes, order: _Order) -> float:
    """The value of a SHORT, a LONG or a RATIONAL; 0 if it is invalid."""
    if len(raw) != 8:
        return float(int.from_bytes(raw[:4], order))
    denominator = int.from_bytes(raw[4:], order)
    return int.from_bytes(raw[:4], order) / denominator if denominator else 0.0


def _text(raw: bytes) -> str:
    """The text up to the first zero byte, without leading zero bytes, of which NovelAI writes four."""
    record = _record_in(raw) if b"\0" in raw.strip(b"\0") else None
    return record or raw.lstrip(b"\0").split(b"\0", 1)[0].decode("utf-8", errors="replace").strip()


def _wide_text(raw: bytes) -> str:
    """UTF-16, as Windows writes it; a generator's record is read in whichever encoding it parses."""
    return (_record_in(raw) or raw.decode("utf-16-le", errors="replace")).strip(_BLANKS)


def _user_comment(raw: bytes, order: _Order) -> str:
    """EXIF's UserComment: eight bytes give the encoding, except in China's AIGC label and the files of some generators.
    Since some writers give a wrong encoding, one in which the text parses as a record takes precedence."""
    code = raw[:8].rstrip(b"\0 ").upper()
    body = raw[8:] if code in _CODES else raw
    is_wide = code == b"UNICODE"
    text = _record_in(body) if is_wide or b"\0" in body.strip(b"\0") else None
    if text is None:
        text = _utf16(body, order) if is_wide else body.decode("utf-8", errors="replace")
    return text.strip(_BLANKS)


def _utf16(raw: bytes, declared: _Order) -> str:
    """The standard does not define the byte order, and writers differ. A text uses few Unicode blocks and many
    characters of each, so in the correct byte order the high bytes have fewer distinct values than the low bytes."""
    body = raw[: len(raw) // 2 * 2]
    first, second = len(set(body[0::2])), len(set(body[1::2]))
    is_big = first < second if first != second else declared == "big"
    return body.decode("utf-16-be" if is_big else "utf-16-le", errors="replace").lstrip("\ufeff")


def _record_in(raw: bytes) -> str | None:
    """`raw` in the encoding in which it parses as a generator's record, if there is one."""
    even = raw[: len(raw) // 2 * 2]
    candidates = ((raw, "utf-8"), (even, "utf-16-be"), (even, "utf-16-le"))
    texts = (body.decode(encoding, errors="replace").lstrip("\ufeff") for body, encoding in candidates)
    return next((text for text in texts if _parses(text)), None)


def _parses(text: str) -> bool:
    return _RECORD_SIGNATURE.search(text) is not None or parse_json(json_part(text)[1]) is not None
