"""The static site's page with files checked on it, and Python's record of the same file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from imageprocess.detector import Detector
from imageprocess.report.records import to_record
from imageprocess.types import Source
from tests.support.browsing import Open, choose_private


def page_with_files(open_static: Open, files: dict[str, bytes], folder: Path) -> Page:
    """The static site's page with these files checked in order."""
    paths = [folder / name for name in files]
    for path in paths:
        path.write_bytes(files[path.name])
    page = open_static().page
    choose_private(page, *paths)
    return page


def python_record(detector: Detector, name: str, data: bytes, mode: str = "balanced") -> dict[str, Any]:
    result = detector.detect(Source(name, data), mode=mode)  # type: ignore[arg-type]
    record: dict[str, Any] = json.loads(json.dumps(to_record(result)))
    return record
