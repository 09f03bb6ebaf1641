"""PNG: chunks from the signature to IEND (W3C PNG, third edition; C2PA's chunk is caBX)."""

from __future__ import annotations

import contextlib
import re
import zlib

from .jpeg import photoshop_iptc
from .records import EXIF_PREFIX, MAX_PARTS, MAX_TEXTS, Records, slice_record

_XMP_KEYWORD = "XML:com.adobe.xmp"
_RAW_PROFILE = "Raw profile type "
_CHUNK_BYTES = 4_096  # decompressed at a time
_PROFILE_HEAD = 200  # bytes that contain the name and size of a profile
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def walk_png(data: bytes) -> Records:
    records = Records()
    chunks = 0
    at = 8
    for _ in range(MAX_PARTS):
        kind = data[at + 4 : at + 8]
        if len(kind) < 4 or kind == b"IEND":
            break
        size = int.from_bytes(data[at : at + 4], "big")
        if kind in (b"tEXt", b"zTXt", b"iTXt") and chunks < MAX_TEXTS and records.remaining_bytes > 0:
            chunks += 1
            _add_text(records, kind, slice_record(data, at + 8, size) or b"")
        elif kind == b"eXIf":
            records.add_exif(slice_record(data, at + 8, size))
        elif kind == b"caBX":
            records.manifest_store = records.manifest_store or slice_record(data, at + 8, size)
        at += 12 + size
    return records


def _add_text(records: Records, kind: bytes, body: bytes) -> None:
    """Store one text chunk in its field. A chunk that does not parse is skipped."""
    keyword_bytes, _, rest = body.partition(b"\0")
    keyword = keyword_bytes[:79].decode("latin-1")
    encoding = None  # of tEXt: Latin-1 by the standard, but several generators write UTF-8
    if kind == b"zTXt":
        rest = _inflate(rest[1:], records.remaining_bytes)
        encoding = "latin-1"
    elif kind == b"iTXt":
        compressed = rest[:1] == b"\1"
        _language, _, after = rest[2:].partition(b"\0")
        _translated, _, rest = after.partition(b"\0")
        rest = _inflate(rest, records.remaining_bytes) if compressed else rest
        encoding = "utf-8"
    if keyword == _XMP_KEYWORD:
        records.add_xmp(rest)
    elif keyword.startswith(_RAW_PROFILE):
        _add_profile(records, keyword.removeprefix(_RAW_PROFILE), rest)
    elif all(text.name != keyword for text in records.texts):  # of texts with the same name, the first
        records.add_text("PNG text", keyword, rest, encoding)


def _add_profile(records: Records, name: str, text: bytes) -> None:
    """ImageMagick's text encoding of records of other formats: the name, the size in bytes, hexadecimal digits."""
    match = re.match(rb"\s*\w+(?: \w+)*\s+(\d+)\s", text[:_PROFILE_HEAD])
    digits = re.sub(rb"\s+", b"", text[match.end() :]) if match else b""
    try:
        profile = bytes.fromhex(digits.decode("ascii"))[: int(match[1])] if match else b""
    except ValueError:  # not hexadecimal, or too many digits in the size
        return
    if name in ("exif", "APP1") and profile.startswith((EXIF_PREFIX, b"II*\0", b"MM\0*")):
        records.add_exif(profile)
    elif name in ("xmp", "APP1"):
        records.add_xmp(profile.removeprefix(_XMP))
    elif name in ("iptc", "8bim"):
        bare = profile if profile[:1] == b"\x1c" else None  # without Photoshop's resource header
        records.iptc_iim = records.iptc_iim or photoshop_iptc(profile) or bare


def _inflate(compressed: bytes, max_bytes: int) -> bytes:
    """At most `max_bytes` decompressed bytes; of a damaged stream, those before the damage."""
    stream = zlib.decompressobj()
    output = bytearray()
    with contextlib.suppress(zlib.error):
        for start in range(0, len(compressed), _CHUNK_BYTES):
            if len(output) < max_bytes and not stream.eof:
                output += stream.decompress(compressed[start : start + _CHUNK_BYTES], max_bytes - len(output))
    return bytes(output)
