"""What a container says beside the pixels, and how much of it we are willing to read."""

from __future__ import annotations

from dataclasses import dataclass, field

# Caps, far above what cameras, editors and generators write (ComfyUI's largest workflows are a few MB).
MAX_PARTS = 65_536  # segments, chunks or boxes walked
MAX_RECORD_BYTES = 16_000_000  # one XMP packet, EXIF block or manifest store
MAX_TEXTS = 256  # text chunks kept
MAX_TEXT_BYTES = 4_000_000  # all text chunks together, after decompression


@dataclass(slots=True)
class Records:
    """Raw records, as they lie in the file. Nothing in here is trusted or even well-formed."""

    exif: bytes | None = None  # a TIFF structure
    xmp: bytes | None = None  # an XMP packet, RDF/XML
    iptc_iim: bytes | None = None  # IPTC IIM data sets, as Photoshop keeps them
    manifest_store: bytes | None = None  # C2PA: a JUMBF superbox
    texts: dict[str, str] = field(default_factory=dict)  # PNG text chunks; the first of a name counts


def capped(data: bytes, start: int, size: int) -> bytes | None:
    """`size` bytes from `start`, or None where they are too many or not there."""
    if size > MAX_RECORD_BYTES or start < 0 or start + size > len(data):
        return None
    return data[start : start + size]
