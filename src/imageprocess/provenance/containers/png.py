"""PNG: chunks from the signature to IEND (W3C PNG, third edition; C2PA's chunk is caBX)."""

from __future__ import annotations

import zlib

from .records import MAX_PARTS, MAX_RECORD_BYTES, MAX_TEXT_BYTES, MAX_TEXTS, Records, capped

_XMP_KEYWORD = "XML:com.adobe.xmp"


def walk_png(data: bytes) -> Records:
    records = Records()
    room = MAX_TEXT_BYTES
    texts = 0
    at = 8
    for _ in range(MAX_PARTS):
        kind = data[at + 4 : at + 8]
        if len(kind) < 4 or kind == b"IEND":
            break
        size = int.from_bytes(data[at : at + 4], "big")
        if kind in (b"tEXt", b"zTXt", b"iTXt") and texts < MAX_TEXTS and room > 0:
            texts += 1
            room -= _keep_text(records, kind, capped(data, at + 8, size) or b"", room)
        elif kind == b"eXIf":
            records.exif = records.exif or capped(data, at + 8, size)
        elif kind == b"caBX":
            records.manifest_store = records.manifest_store or capped(data, at + 8, size)
        at += 12 + size
    return records


def _keep_text(records: Records, kind: bytes, body: bytes, room: int) -> int:
    """Put one text chunk where it belongs; returns the bytes it took. A chunk that does not parse is left out."""
    keyword_bytes, _, rest = body.partition(b"\0")
    keyword = keyword_bytes[:79].decode("latin-1")
    encoding = "latin-1"
    if kind == b"zTXt":
        rest = _inflate(rest[1:], room)
    elif kind == b"iTXt":
        compressed = rest[:1] == b"\1"
        _language, _, after = rest[2:].partition(b"\0")
        _translated, _, rest = after.partition(b"\0")
        rest = _inflate(rest, room) if compressed else rest
        encoding = "utf-8"
    if keyword == _XMP_KEYWORD:
        records.xmp = records.xmp or rest[:MAX_RECORD_BYTES]
        return 0
    if len(rest) > room:
        return 0
    if kind == b"tEXt":  # Latin-1 by the standard, but several generators write UTF-8
        encoding = "utf-8" if _is_utf8(rest) else "latin-1"
    records.texts.setdefault(keyword, rest.decode(encoding, errors="replace"))
    return len(rest)


def _inflate(packed: bytes, room: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, room)
    except zlib.error:
        return b""


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
