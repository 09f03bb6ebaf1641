"""Reads evidence from metadata: Content Credentials, and records of generators, editors and cameras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..types import Evidence, ImageFacts

if TYPE_CHECKING:
    from ..decode import Limits

__all__ = ["check_trust_list", "read_provenance", "read_without_pixels"]


def check_trust_list() -> None:
    """Raises UsageError if a trust list is configured that cannot be read."""
    from .trust import find_trust_list

    find_trust_list()


def read_provenance(data: bytes, facts: ImageFacts, *, trust_list: Path | None = None) -> list[Evidence]:
    """The evidence in the file's metadata, signed records first. Never raises on a damaged file, never uses the
    network.

    `trust_list`: a PEM file of trusted signers; None: the list that `imageprocess trust update` installs. Raises
    UsageError if that is configured but unreadable.
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
    """For a file whose pixels cannot be decoded: the facts in its header, and its evidence. None if the header is
    unreadable or no record says how the image was made, so that only the error can be reported."""
    from ..decode import read_header

    facts = read_header(data, limits=limits)
    evidence = read_provenance(data, facts) if facts else []
    if facts is None or not any(
        item.kind == "c2pa" or item.points_to in ("ai", "ai_edited") for item in evidence
    ):
        return None
    return facts, evidence
