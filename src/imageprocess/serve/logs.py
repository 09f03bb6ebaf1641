"""One line per event on stderr: JSON for machines, text on a terminal.

The call that logs an event chooses its fields with `extra={"facts": {...}}`: ids, sizes, timings, labels. Never an
image, a key or a client address; a file name only if the operator enables it (IMAGEPROCESS_LOG_NAMES).
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .settings import Settings


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": when,
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        line = f"{record.levelname.lower()}: {record.getMessage()} {text}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _facts(record: logging.LogRecord) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = getattr(record, "facts", {})
    return facts


def is_text(settings: Settings) -> bool:
    return settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())


def configuration(settings: Settings, level: str = "INFO") -> dict[str, Any]:
    """Configuration of both this package's loggers and uvicorn's, for logging.config.dictConfig. uvicorn's access log
    is disabled, because it contains addresses; as text, only its warnings are logged, since server.py logs when the
    service is ready."""
    as_text = is_text(settings)
    uvicorns = {"handlers": ["stderr"], "level": "WARNING" if as_text else level, "propagate": False}
    ours = {"handlers": ["stderr"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": _Text if as_text else _Json}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {"imageprocess.serve": ours, "uvicorn": uvicorns, "uvicorn.access": {"propagate": False}},
    }
