"""WebP: RIFF chunks within the size given in the file's header."""

from __future__ import annotations

from .records import MAX_PARTS, Records, slice_record


def walk_webp(data: bytes) -> Records:
    records = Records()
    end = min(8 + int.from_bytes(data[4:8], "little"), len(data))
    at = 12
    for _ in range(MAX_PARTS):
        if at + 8 > end:
            break
        kind = data[at : at + 4]
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > end:
            break
        if kind == b"EXIF":
            records.add_exif(slice_record(data, at + 8, size))
        elif kind == b"XMP ":
            records.add_xmp(slice_record(data, at + 8, size))
        elif kind == b"C2PA":
            records.manifest_store = records.manifest_store or slice_record(data, at + 8, size)
        at += 8 + size + size % 2
    return records
