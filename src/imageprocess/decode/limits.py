"""Limits on the size of one input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that are checked before the work: bytes before decoding, pixels before allocating a buffer."""

    max_bytes: int = 200_000_000
    max_pixels: int = 100_000_000  # a 100-megapixel medium-format back
    max_frames: int = 10_000  # that are counted; only the first is analysed
    # Images of more than max_pixels and at most this many are decoded at a reduced size; 0: they are refused.
    max_reduced_pixels: int = 0


DEFAULT_LIMITS = Limits()
# For phones with 200 megapixels. Formats that cannot be decoded at a reduced size need 0.8 GB for a moment.
DETECTOR_LIMITS = Limits(max_reduced_pixels=220_000_000)
