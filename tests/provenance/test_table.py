"""The table of tools: entries are complete, usable in Python and JavaScript, and documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imageprocess.provenance.table import TABLE

FIELDS = {"prompt", "negative_prompt", "seed", "sampler", "model"}
KEYS = {
    "name", "name_from", "json", "notes", "pattern", "groups", "in", "anywhere", "also", "unless", "how", "edited_if",
    "unclear_if", "version", "version_words", "fields", "settings", "author", "seen",
}  # fmt: skip


@pytest.mark.parametrize("tool", TABLE["tools"], ids=lambda tool: tool.get("name", tool.get("name_from")))
def test_table_entry_is_complete(tool: dict[str, Any]) -> None:
    assert tool.keys() <= KEYS and ("name" in tool) != ("name_from" in tool)
    assert sum(key in tool for key in ("json", "notes", "pattern")) == 1
    assert tool["fields"].keys() <= FIELDS
    assert tool["seen"], "each entry names the file or source it is based on"
    if "pattern" in tool:
        assert re.compile(tool["pattern"]).groups == len(tool["groups"])


def test_patterns_match_in_python_and_javascript() -> None:
    """No syntax that differs between Python and JavaScript: \\A, \\Z, (?P<...>), possessive and atomic groups."""

    def strings(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for item in value.values() for text in strings(item)]
        if isinstance(value, list):
            return [text for item in value for text in strings(item)]
        return [value] if isinstance(value, str) else []

    for text in strings(TABLE["tools"]) + list(TABLE["comfyui"].values()):
        assert not re.search(r"\\[AZ]|\(\?P|\(\?>|[*+?]\+|\[\^\]", text), text
    for pattern in TABLE["comfyui"].values():
        re.compile(pattern)


def test_docs_page_matches_table() -> None:
    command = [sys.executable, "-m", "bench.records_page", "--check"]
    checked = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
