"""Limits on the size of one input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits checked before the work they bound: bytes before decoding, pixels before a buffer is allocated."""

    max_bytes: int = 200_000_000
    max_pixels: int = 100_000_000  # a 100-megapixel medium-format back
    max_frames: int = 10_000  # frames counted at most; only the first is scored
    # Pictures of more than max_pixels, to this many, are decoded at a reduced size; 0: they are refused.
    max_reduced_pixels: int = 0


DEFAULT_LIMITS = Limits()
# A phone's 200 megapixels. Where the format cannot be decoded in part, they take 0.8 GB for a moment.
DETECTOR_LIMITS = Limits(max_reduced_pixels=220_000_000)
