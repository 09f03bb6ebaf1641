"""The optional package that composing a model needs; running one never does."""

from __future__ import annotations

from typing import Any

from ...errors import MissingExtraError


def require_onnx() -> Any:
    """The module onnx. Raises MissingExtraError that names the extra."""
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise MissingExtraError("onnx", "get") from error
    return onnx
