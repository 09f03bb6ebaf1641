"""Decodes image files. Training, evaluation, the service and the command line all use this package."""

from .decode import decode, read_header
from .limits import DEFAULT_LIMITS, DETECTOR_LIMITS, Limits
from .sniff import sniff

__all__ = ["DEFAULT_LIMITS", "DETECTOR_LIMITS", "Limits", "decode", "read_header", "sniff"]
