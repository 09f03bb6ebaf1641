"""AVIF and HEIC: boxes of the ISO base media file format (ISO/IEC 14496-12), and metadata items by iinf and iloc."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .records import MAX_PARTS, Records, slice_record

_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_MAX_ITEMS = 4_096  # a tiled HEIC of a large sensor has several hundred
_XMP_MIME = b"application/rdf+xml"


def walk_isobmff(data: bytes) -> Records:
    records = Records()
    for kind, start, end in walk_boxes(data, 0, len(data)):
        if kind == b"meta":
            _read_meta(data, start + 4, end, records)  # 4: version and flags
        elif kind == b"uuid" and data[start : start + 16] == _C2PA_UUID:
            records.manifest_store = records.manifest_store or _c2pa_box(data, start + 16, end)
        elif kind == b"uuid" and data[start : start + 16] == _XMP_UUID:
            records.add_xmp(slice_record(data, start + 16, end - start - 16))
    return records


def walk_boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the body, end) of each box between the offsets `start` and `end`."""
    for _ in range(MAX_PARTS):
        if start + 8 > end:
            return
        size, header = int.from_bytes(data[start : start + 4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:
            size = end - start
        if size < header or start + size > end:
            return
        yield data[start + 4 : start + 8], start + header, start + size
        start += size


def _c2pa_box(data: bytes, start: int, end: int) -> bytes | None:
    """The manifest store in C2PA's uuid box: version and flags, a purpose, an offset, then the store."""
    purpose, zero, _ = data[start + 4 : min(start + 64, end)].partition(b"\0")
    if not zero or purpose != b"manifest":
        return None
    store = start + 4 + len(purpose) + 1 + 8
    return slice_record(data, store, end - store)


@dataclass(slots=True)
class _Item:
    kind: bytes = b""
    mime: bytes = b""


def _read_meta(data: bytes, start: int, end: int, records: Records) -> None:
    bodies = {kind: (at, stop) for kind, at, stop in walk_boxes(data, start, end)}
    if b"iinf" not in bodies or b"iloc" not in bodies:
        return
    items = _item_infos(data, *bodies[b"iinf"])
    idat = bodies.get(b"idat", (0, 0))
    for item_id, method, extents in _item_locations(data, *bodies[b"iloc"]):
        item = items.get(item_id)
        if item is None or method > 1:
            continue
        base = idat[0] if method == 1 else 0
        payload = b"".join(slice_record(data, base + offset, size) or b"" for offset, size in extents)
        if item.kind == b"Exif" and len(payload) > 4:
            # A 32-bit offset to the TIFF header comes first.
            records.add_exif(payload[4 + int.from_bytes(payload[:4], "big") :])
        elif item.kind == b"mime" and item.mime == _XMP_MIME:
            records.add_xmp(payload)


def _item_infos(data: bytes, start: int, end: int) -> dict[int, _Item]:
    """Item id -> its type, from the `infe` boxes (versions 2 and 3; older ones have no type)."""
    items: dict[int, _Item] = {}
    count_size = 2 if data[start : start + 1] == b"\0" else 4
    for kind, at, stop in walk_boxes(data, start + 4 + count_size, end):
        if kind != b"infe" or data[at] not in (2, 3) or len(items) >= _MAX_ITEMS:
            continue
        id_size = 2 if data[at] == 2 else 4
        item_id = int.from_bytes(data[at + 4 : at + 4 + id_size], "big")
        type_at = at + 4 + id_size + 2
        names = data[type_at + 4 : stop].split(b"\0", 2)
        items[item_id] = _Item(data[type_at : type_at + 4], names[1] if len(names) > 1 else b"")
    return items


def _item_locations(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """(item id, construction method, [(offset, size), ...]) of each item in the `iloc` box."""
    reader = _Reader(data, start, end)
    version = reader.number(1)
    reader.number(3)
    sizes = reader.number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    count = reader.number(2 if version < 2 else 4)
    for _ in range(min(count, _MAX_ITEMS)):
        item_id = reader.number(2 if version < 2 else 4)
        method = reader.number(2) & 15 if version in (1, 2) else 0
        reader.number(2)  # data reference index: 0, this file
        base = reader.number(base_size)
        extents = []
        for _ in range(min(reader.number(2), 64)):
            reader.number(index_size)
            offset = base + reader.number(offset_size)
            extents.append((offset, reader.number(length_size)))
        if reader.at > end:
            return
        yield item_id, method, extents


@dataclass(slots=True)
class _Reader:
    """Reads consecutive big-endian numbers. Beyond the end they are 0; the caller checks `at`."""

    data: bytes
    at: int
    end: int

    def number(self, size: int) -> int:
        value = int.from_bytes(self.data[self.at : min(self.at + size, self.end)], "big")
        self.at += size
        return value
