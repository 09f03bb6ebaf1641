"""Pixels -> [Evidence]: marks that a generator hid in the picture itself."""

from __future__ import annotations

from ..types import DecodedImage, Evidence

__all__ = ["read_watermarks"]


def read_watermarks(image: DecodedImage) -> list[Evidence]:
    """The known marks found in `image`. A miss says nothing: most generators leave none."""
    return []
