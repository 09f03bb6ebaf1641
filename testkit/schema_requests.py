"""Schemathesis against a running service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# A schema can require base64 but not an image: a rejection for that reason is not a failure.
_EXCLUDED = "positive_data_acceptance"


def run(address: str, folder: Path, *, examples: int, key: str) -> dict[str, Any]:
    """Returns the report. Works in `folder`."""
    command = [
        sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()",
        "run", f"{address}/openapi.json", "--checks", "all", "--exclude-checks", _EXCLUDED,
        "--max-examples", str(examples), "--seed", "1", "--continue-on-failure",
        "--header", f"X-API-Key:{key}", "--report", "json", "--report-dir", str(folder / "report"), "--no-color",
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    (report,) = (folder / "report").glob("*.json")
    report_data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    if report_data["failures"] or report_data["errors"]:
        print(ran.stdout)
    return report_data
