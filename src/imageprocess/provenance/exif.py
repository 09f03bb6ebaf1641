"""A TIFF structure -> the few EXIF fields that say who or what made the picture (TIFF 6.0, CIPA DC-008)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_MAX_ENTRIES = 512  # read of one directory
_MAX_VALUE_BYTES = 16_000_000

_TEXTS = {
    0x010E: "description",
    0x010F: "make",
    0x0110: "model",
    0x0131: "software",
    0x0132: "changed",
    0x9003: "taken",
    0xA433: "lens_make",
    0xA434: "lens",
}
_NUMBERS = {0x829A: "exposure_time_s", 0x829D: "f_number", 0x8827: "iso", 0x920A: "focal_length_mm"}
_USER_COMMENT = 0x9286
_EXIF_DIRECTORY = 0x8769
_XMP, _C2PA = 0x02BC, 0xCD41  # fields of a TIFF file; an EXIF block has neither
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 13: 4}


@dataclass(frozen=True, slots=True)
class Exif:
    """Texts by the names above and "user_comment", trimmed, never empty; of a TIFF file, its embedded records too."""

    texts: dict[str, str]
    numbers: dict[str, float]
    xmp: bytes | None = None
    manifest_store: bytes | None = None


def read_exif(tiff: bytes | None) -> Exif:
    """Never raises: a damaged block gives the fields that could be read. Reads the first directory and its EXIF one."""
    order = _byte_order(tiff or b"")
    if tiff is None or order is None:
        return Exif({}, {})
    fields = dict(_entries(tiff, int.from_bytes(tiff[4:8], order), order))
    if _EXIF_DIRECTORY in fields:
        fields = {**dict(_entries(tiff, int.from_bytes(fields[_EXIF_DIRECTORY], order), order)), **fields}
    texts = {name: _text(fields[tag]) for tag, name in _TEXTS.items() if tag in fields}
    texts["user_comment"] = _user_comment(fields.get(_USER_COMMENT, b""), order)
    numbers = {name: _number(fields[tag], order) for tag, name in _NUMBERS.items() if tag in fields}
    return Exif(
        {name: text for name, text in texts.items() if text},
        {name: number for name, number in numbers.items() if number},
        fields.get(_XMP),
        fields.get(_C2PA),
    )


def _byte_order(tiff: bytes) -> Literal["little", "big"] | None:
    if tiff[:4] == b"II*\0":
        return "little"
    return "big" if tiff[:4] == b"MM\0*" else None


def _entries(tiff: bytes, at: int, order: Literal["little", "big"]) -> Iterator[tuple[int, bytes]]:
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


def _number(raw: bytes, order: Literal["little", "big"]) -> float:
    """A SHORT, a LONG or a RATIONAL; 0 where it is none or makes no sense."""
    if len(raw) != 8:
        return float(int.from_bytes(raw[:4], order))
    denominator = int.from_bytes(raw[4:], order)
    return int.from_bytes(raw[:4], order) / denominator if denominator else 0.0


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", errors="replace").strip()


def _user_comment(raw: bytes, order: Literal["little", "big"]) -> str:
    """EXIF's UserComment: eight bytes name the encoding."""
    code, body = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        # The standard leaves the byte order open; in Latin script every other byte is zero, which tells it.
        zeros_first, zeros_second = body[0:200:2].count(0), body[1:200:2].count(0)
        if zeros_first != zeros_second:
            order = "big" if zeros_first > zeros_second else "little"
        return body.decode("utf-16-be" if order == "big" else "utf-16-le", errors="replace").strip(
            "\0 \n\r\t"
        )
    if code in (b"ASCII\0\0\0", bytes(8)):
        return body.decode("utf-8", errors="replace").strip("\0 \n\r\t")
    # Without a code, as China's AIGC label and some generators are written.
    return raw.decode("utf-8", errors="replace").strip("\0 \n\r\t")
