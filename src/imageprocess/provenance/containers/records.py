"""Raw metadata records of a container, and limits on reading them."""

from __future__ import annotations

from dataclasses import dataclass, field

# Limits, far above what cameras, editors and generators write (the largest workflows of ComfyUI embed images of some
# MB).
MAX_PARTS = 65_536  # segments, chunks or boxes
MAX_RECORD_BYTES = 16_000_000  # one XMP packet, EXIF block or manifest store
MAX_TEXTS = 256
MAX_TEXT_BYTES = 16_000_000  # all texts together, after decompression
MAX_PACKETS = 8  # XMP packets; also EXIF blocks
EXIF_PREFIX = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Text:
    """A named text of the file. `place`, for display: "PNG text", "EXIF", "XMP", ..."""

    place: str
    name: str
    text: str


@dataclass(slots=True)
class Records:
    """Raw records as stored in the file. They are untrusted and may be malformed."""

    exif: list[bytes] = field(default_factory=list)  # TIFF structures, the main one first
    xmp: list[bytes] = field(default_factory=list)  # XMP packets, RDF/XML
    iptc_iim: bytes | None = None  # IPTC IIM data sets, as in Photoshop's resource
    manifest_store: bytes | None = None  # C2PA: a JUMBF superbox
    texts: list[Text] = field(default_factory=list)
    remaining_bytes: int = MAX_TEXT_BYTES  # bytes of text that may still be added

    def add_text(self, place: str, name: str, raw: bytes, encoding: str | None = None) -> None:
        """Decode and add a text, by default as UTF-8 if that is valid, else as Latin-1. Ignored above the limits."""
        if len(self.texts) >= MAX_TEXTS or len(raw) > self.remaining_bytes:
            return
        self.remaining_bytes -= len(raw)
        try:
            text = raw.decode(encoding or "utf-8", errors="replace" if encoding else "strict")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        self.texts.append(Text(place, name, text))

    def add_exif(self, block: bytes | None) -> None:
        """Add an EXIF block, without JPEG's prefix, which some writers use in other containers too."""
        tiff = (block or b"").removeprefix(EXIF_PREFIX)
        if tiff and len(self.exif) < MAX_PACKETS:
            self.exif.append(tiff)

    def add_xmp(self, packet: bytes | None) -> None:
        if packet and len(self.xmp) < MAX_PACKETS:
            self.xmp.append(packet[:MAX_RECORD_BYTES])


def slice_record(data: bytes, start: int, size: int) -> bytes | None:
    """`size` bytes from offset `start`, or None if they exceed the limit or the data."""
    if size > MAX_RECORD_BYTES or start < 0 or start + size > len(data):
        return None
    return data[start : start + size]


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
