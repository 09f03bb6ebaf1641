"""JPEG: marker segments from SOI to the first scan (ITU-T T.81, Annex B), and Samsung's trailer after EOI.

Data after the first SOS is entropy-coded; XMP, EXIF and C2PA must precede it.
"""

from __future__ import annotations

from collections import defaultdict

from .records import EXIF_PREFIX, MAX_PARTS, MAX_RECORD_BYTES, Records, is_utf8

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # TEM, RSTn and SOI have no length
_SOS, _EOI, _COM = 0xDA, 0xD9, 0xFE
_MAX_APP_TEXT_BYTES = 65_536
_MAX_TRAILER_ENTRIES = 64


def walk_jpeg(data: bytes) -> Records:
    records = Records()
    jumbf: dict[int, list[bytes]] = defaultdict(list)  # box instance -> pieces, in file order
    extended: dict[bytes, list[tuple[int, bytes]]] = defaultdict(list)  # GUID -> (offset, piece)
    jumbf_bytes = 0
    for marker, body in _segments(data):
        if marker == 0xE1 and body.startswith(EXIF_PREFIX):
            records.add_exif(body)
        elif marker == 0xE1 and body.startswith(_XMP):
            records.add_xmp(body[len(_XMP) :])
        elif marker == 0xE1 and body.startswith(_EXTENDED_XMP):
            rest = body[len(_EXTENDED_XMP) :]
            extended[rest[:32]].append((int.from_bytes(rest[36:40], "big"), rest[40:]))
        elif marker == 0xED and body.startswith(_PHOTOSHOP):
            records.iptc_iim = records.iptc_iim or photoshop_iptc(body[len(_PHOTOSHOP) :])
        elif marker == 0xEB and body[:2] == b"JP" and jumbf_bytes < MAX_RECORD_BYTES:
            jumbf[int.from_bytes(body[2:4], "big")].append(body)
            jumbf_bytes += len(body)
        elif marker == _COM:
            records.add_text("JPEG comment", "JPEG:comment", body.rstrip(b"\0"))
        elif _is_text(body):
            records.add_text(f"JPEG APP{marker - 0xE0}", f"JPEG:APP{marker - 0xE0}", body.rstrip(b"\0"))
    for pieces in extended.values():
        records.add_xmp(b"".join(piece for _, piece in sorted(pieces)))
    records.manifest_store = _join_jumbf(jumbf)
    _read_samsung_trailer(data, records)
    return records


def _segments(data: bytes) -> list[tuple[int, bytes]]:
    """(marker, body) of each segment before the first scan."""
    segments: list[tuple[int, bytes]] = []
    at = 2
    while len(segments) < MAX_PARTS and at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        if marker in (_SOS, _EOI):
            break
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if size < 2 or at + 2 + size > len(data):
            break
        if 0xE0 <= marker <= 0xEF or marker == _COM:
            segments.append((marker, data[at + 4 : at + 2 + size]))
        at += 2 + size
    return segments


def _is_text(body: bytes) -> bool:
    """Whether an application segment that no standard defines contains JSON, as the label of GB 45438 does."""
    head = body[:64].lstrip()
    json = head.removeprefix(b"AIGC").lstrip(b"\0: \n\r\t")
    return len(body) <= _MAX_APP_TEXT_BYTES and json[:1] == b"{" and is_utf8(body)


def photoshop_iptc(blocks: bytes) -> bytes | None:
    """The IPTC block (resource 0x0404) among Photoshop's image resources."""
    at = 0
    for _ in range(MAX_PARTS):
        if blocks[at : at + 4] != b"8BIM":
            return None
        name_end = at + 7 + blocks[at + 6] if at + 6 < len(blocks) else len(blocks)
        size_at = name_end + (name_end - at) % 2
        size = int.from_bytes(blocks[size_at : size_at + 4], "big")
        if blocks[at + 4 : at + 6] == b"\x04\x04":
            return blocks[size_at + 4 : size_at + 4 + size]
        at = size_at + 4 + size + size % 2
    return None


def _join_jumbf(instances: dict[int, list[bytes]]) -> bytes | None:
    """The C2PA superbox, joined from its APP11 segments (ISO/IEC 19566-5, Annex D). Each begins with JP, instance,
    sequence number, then length and type of the superbox, which are repeated in every segment and used once."""
    for pieces in instances.values():
        first = pieces[0][8:]
        header = 16 if first[:4] == b"\0\0\0\1" else 8
        store = first + b"".join(piece[8 + header :] for piece in pieces[1:])
        if is_c2pa_store(store):
            return store
    return None


def is_c2pa_store(box: bytes) -> bool:
    """Whether the description box (jumd) of this JUMBF superbox declares a C2PA manifest store."""
    header = 16 if box[:4] == b"\0\0\0\1" else 8
    return box[4:8] == b"jumb" and box[header + 4 : header + 12] == b"jumdc2pa"


def _read_samsung_trailer(data: bytes, records: Records) -> None:
    """Samsung's SEF trailer, read from the end of the file: a directory SEFH ... size SEFT, whose entries have offsets
    backwards from SEFH (ExifTool, Samsung.pm, ProcessSamsungTrailer)."""
    if data[-4:] != b"SEFT":
        return
    size = int.from_bytes(data[-8:-4], "little")
    head = len(data) - 8 - size
    if size < 12 or head < 0 or data[head : head + 4] != b"SEFH":
        return
    count = int.from_bytes(data[head + 8 : head + 12], "little")
    for i in range(min(count, _MAX_TRAILER_ENTRIES)):
        entry = data[head + 12 + 12 * i : head + 24 + 12 * i]
        back, length = int.from_bytes(entry[4:8], "little"), int.from_bytes(entry[8:12], "little")
        block = data[head - back : head - back + length] if len(entry) == 12 and 8 <= back <= head else b""
        name_size = int.from_bytes(block[4:8], "little")
        name, content = block[8 : 8 + name_size], block[8 + name_size :]
        if name == b"PhotoEditor_Re_Edit_Data" and len(content) <= _MAX_APP_TEXT_BYTES and is_utf8(content):
            records.add_text("Samsung trailer", "Samsung:PhotoEditor_Re_Edit_Data", content)
