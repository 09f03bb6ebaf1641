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
    from .file import read_file
    from .generators import read_generators
    from .iptc import read_iptc

    file = read_file(data, facts.format)
    generated, names = read_generators(file.texts, facts)
    return [
        *read_c2pa(data, facts.format, file.manifest_store, file.xmp, trust_list),
        *read_iptc(file.xmp, file.iptc_iim),
        *generated,
        *read_camera(file.exif, names),
    ]
