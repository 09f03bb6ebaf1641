"""Reads and parses all metadata of a file, from any container."""

from __future__ import annotations

from dataclasses import dataclass

from .containers import Text, read_records
from .exif import Exif, read_exif
from .iptc import iim_texts
from .texts import Texts, collect, xmp_texts
from .xmp import Properties, read_xmp


@dataclass(frozen=True, slots=True)
class FileRecords:
    exif: Exif
    xmp: Properties  # of all packets together; of properties with the same name, the first
    iptc_iim: bytes | None
    manifest_store: bytes | None
    texts: Texts


def read_file(data: bytes, image_format: str) -> FileRecords:
    """Never raises; from damaged data, returns what is readable."""
    records = read_records(data, image_format)
    exif, *others = [read_exif(block) for block in records.exif or [b""]]
    xmp: Properties = {}
    for packet in [*records.xmp, *([exif.xmp] if exif.xmp else [])]:
        xmp |= {name: value for name, value in read_xmp(packet).items() if name not in xmp}
    iim = records.iptc_iim or exif.iptc_iim
    texts = [
        *records.texts,
        *(Text("EXIF", name, text) for block in (exif, *others) for name, text in block.texts.items()),
        *xmp_texts(xmp),
        *(Text("IPTC", f"IPTC:{name}", text) for name, text in iim_texts(iim).items()),
    ]
    return FileRecords(exif, xmp, iim, records.manifest_store or exif.manifest_store, collect(texts))
