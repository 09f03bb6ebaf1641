"""Bytes -> [Evidence]: Content Credentials, and what generators, editors and cameras left in the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..types import Evidence, ImageFacts

if TYPE_CHECKING:
    from ..decode import Limits

__all__ = ["check_trust_list", "read_provenance", "read_without_pixels"]


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


def read_without_pixels(data: bytes, limits: Limits) -> tuple[ImageFacts, list[Evidence]] | None:
    """Of a file whose pixels cannot be had: what its header says, and its evidence. None where the header makes no
    sense, or no record says how the picture came to be: then there is nothing to tell but the error."""
    from ..decode import read_header

    facts = read_header(data, limits=limits)
    evidence = read_provenance(data, facts) if facts else []
    if facts is None or not any(
        item.kind == "c2pa" or item.points_to in ("ai", "ai_edited") for item in evidence
    ):
        return None
    return facts, evidence
