"""Imports the optional package that composing a model requires; running a model does not need it."""

from __future__ import annotations

from typing import Any

from ...extras import require_extra


def require_onnx() -> Any:
    """The module onnx. Raises MissingExtraError that names the extra."""
    with require_extra("get"):
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    return onnx
