"""The error tree. Each carries the machine-readable `code` of the public record.

ImageProcessError
├── InputError                 one input could not be analysed
│   ├── InputNotFoundError     not_found           no such file, or it cannot be opened
│   ├── TooLargeError          too_large           more bytes than the limit
│   ├── TooManyPixelsError     too_many_pixels     more pixels than the limit
│   ├── UnsupportedFormatError unsupported_format  not an image format that we read
│   ├── CorruptImageError      corrupt             an image format, but it does not decode
│   ├── InputTimeoutError      timeout             took longer than the limit
│   └── CrashedError           crashed             analysing it raised an unexpected error or ended the worker
├── ModelError                 model               a model folder is missing, damaged or of another schema
├── DataError                  data                a data set cannot be built, imported or read
├── UsageError                 usage               an invalid argument or combination of arguments
└── MissingExtraError          missing_extra       an optional package is not installed; the message names the extra
"""

from __future__ import annotations

import re

__all__ = [
    "CorruptImageError",
    "CrashedError",
    "DataError",
    "ImageProcessError",
    "InputError",
    "InputNotFoundError",
    "InputTimeoutError",
    "MissingExtraError",
    "ModelError",
    "TooLargeError",
    "TooManyPixelsError",
    "UnsupportedFormatError",
    "UsageError",
    "remedy_in",
]


class ImageProcessError(Exception):
    """Base of every error this package raises on purpose. `str(error)` says what is wrong and what to do."""

    code = "error"


class InputError(ImageProcessError):
    code = "corrupt"


class InputNotFoundError(InputError):
    code = "not_found"


class TooLargeError(InputError):
    code = "too_large"


class TooManyPixelsError(InputError):
    code = "too_many_pixels"


class UnsupportedFormatError(InputError):
    code = "unsupported_format"


class CorruptImageError(InputError):
    code = "corrupt"


class InputTimeoutError(InputError):
    code = "timeout"


class CrashedError(InputError):
    code = "crashed"


class ModelError(ImageProcessError):
    code = "model"


class DataError(ImageProcessError):
    code = "data"


class UsageError(ImageProcessError):
    code = "usage"


class MissingExtraError(ImageProcessError):
    code = "missing_extra"

    def __init__(self, package: str, extra: str) -> None:
        self.reason = f"{package} is not installed"
        self.remedy = f"pip install 'imageprocess[{extra}]'"
        super().__init__(f"{self.reason}; run: {self.remedy}")


def remedy_in(message: str) -> str | None:
    """The install command in a message that contains the text of a MissingExtraError, or None."""
    match = re.search(r"run: (pip install 'imageprocess\[\w+\]')", message)
    return match[1] if match else None
