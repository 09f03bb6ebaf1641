"""Records of JSON Lines."""

from __future__ import annotations

import json
from typing import Any


def jsonl_records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
