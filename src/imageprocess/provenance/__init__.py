"""Bytes -> [Evidence]: Content Credentials, and what generators, editors and cameras left in the file."""

from __future__ import annotations

from pathlib import Path

from ..types import Evidence, ImageFacts

__all__ = ["check_trust_list", "read_provenance"]


def check_trust_list() -> None:
    """Raises UsageError where the setting names a trust list that cannot be read."""
    from .trust import find_trust_list

    find_trust_list()


def read_provenance(data: bytes, facts: ImageFacts, *, trust_list: Path | None = None) -> list[Evidence]:
    """What the file's own records say, signed ones first. Never raises on a damaged file, never touches the network.

    `trust_list`: a PEM file of the signers to trust; by default the one that `imageprocess trust update` keeps.
    """
    from .c2pa import read_c2pa
    from .camera import read_camera
    from .containers import read_records
    from .exif import read_exif
    from .generators import read_generators
    from .iptc import read_iptc
    from .xmp import read_xmp

    records = read_records(data, facts.format)
    exif = read_exif(records.exif)
    xmp = read_xmp(records.xmp or exif.xmp)
    return [
        *read_c2pa(data, facts.format, records.manifest_store or exif.manifest_store, xmp, trust_list),
        *read_iptc(xmp, records.iptc_iim),
        *read_generators({**exif.texts, **records.texts}, xmp, facts),
        *read_camera(exif),
    ]
