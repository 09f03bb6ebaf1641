"""Bytes -> DecodedImage. Every picture that training, evaluation, the service or the command line looks at
comes through here."""

from .decode import decode, read_header
from .limits import DEFAULT_LIMITS, DETECTOR_LIMITS, Limits
from .sniff import sniff

__all__ = ["DEFAULT_LIMITS", "DETECTOR_LIMITS", "Limits", "decode", "read_header", "sniff"]
