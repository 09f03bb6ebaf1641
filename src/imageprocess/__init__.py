"""Was this image made by an AI, or by a camera or a human hand?

    result = imageprocess.detect("photo.jpg")
    result.verdict.label, result.verdict.probability_ai, result.evidence

Importing this package loads nothing heavy: NumPy, Pillow and ONNX Runtime are imported with the first picture.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import detect, detect_many
    from .detector import Detector
    from .sources import Picture, fetch
from .errors import (
    CorruptImageError,
    CrashedError,
    ImageProcessError,
    InputError,
    InputNotFoundError,
    InputTimeoutError,
    MissingExtraError,
    ModelError,
    TooLargeError,
    TooManyPixelsError,
    UnsupportedFormatError,
    UsageError,
)
from .types import Check, ErrorInfo, Evidence, ImageFacts, Label, Mode, ModelInfo, Result, Source, Verdict

__version__ = "0.1.0"

__all__ = [
    "Check",
    "CorruptImageError",
    "CrashedError",
    "Detector",
    "ErrorInfo",
    "Evidence",
    "ImageFacts",
    "ImageProcessError",
    "InputError",
    "InputNotFoundError",
    "InputTimeoutError",
    "Label",
    "MissingExtraError",
    "Mode",
    "ModelError",
    "ModelInfo",
    "Picture",
    "Result",
    "Source",
    "TooLargeError",
    "TooManyPixelsError",
    "UnsupportedFormatError",
    "UsageError",
    "Verdict",
    "__version__",
    "detect",
    "detect_many",
    "fetch",
]

_LAZY = {
    "Detector": ".detector",
    "detect": ".api",
    "detect_many": ".api",
    "fetch": ".sources",
    "Picture": ".sources",
}


def __getattr__(name: str) -> Any:
    """PEP 562: names that need NumPy are imported on first access."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
