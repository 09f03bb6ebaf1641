"""GIF extensions (GIF89a, appendix B): comments, XMP (XMP specification, part 3) and C2PA's application block."""

from __future__ import annotations

from .records import MAX_PARTS, MAX_RECORD_BYTES, Records

_COMMENT, _APPLICATION = 0xFE, 0xFF
_XMP = b"XMP DataXMP"
_C2PA = b"C2PA_GIF\x01\x00\x00"


def walk_gif(data: bytes) -> Records:
    records = Records()
    try:
        at = 13 + _palette_bytes(data[10])
        for _ in range(MAX_PARTS):
            if data[at] == 0x2C:  # an image: descriptor, local palette, code size, sub-blocks
                at = _skip(data, at + 11 + _palette_bytes(data[at + 9]))
            elif data[at] == 0x21:
                at = _read_extension(data, at, records)
            else:  # 0x3B, the trailer, or damage
                break
    except IndexError:  # truncated
        pass
    return records


def _read_extension(data: bytes, at: int, records: Records) -> int:
    """Store the content of the extension at offset `at`. Returns the offset of its end."""
    label, start = data[at + 1], at + 2
    end = _skip(data, start)
    if label == _COMMENT:
        records.add_text("GIF comment", "GIF:comment", _join_sub_blocks(data, start, end))
    elif label == _APPLICATION and data[start] == 11:
        name, body = data[start + 1 : start + 12], start + 12
        if name == _XMP:  # not in sub-blocks, but with a trailer that ends any chain of sub-blocks
            records.add_xmp(data[body : max(body, end - 258)][:MAX_RECORD_BYTES])
        elif name == _C2PA:
            records.manifest_store = records.manifest_store or _join_sub_blocks(data, body, end)
    return end


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip(data: bytes, at: int) -> int:
    """The offset of the end of a chain of sub-blocks. Raises IndexError if it is truncated."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _join_sub_blocks(data: bytes, at: int, end: int) -> bytes:
    parts = []
    size = 0
    while at < end and data[at] and size < MAX_RECORD_BYTES:
        parts.append(data[at + 1 : at + 1 + data[at]])
        size += data[at]
        at += 1 + data[at]
    return b"".join(parts)
