"""Loads tools.json, the table of known records, which the web pages use too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("tools.json").read_text(encoding="utf-8"))
