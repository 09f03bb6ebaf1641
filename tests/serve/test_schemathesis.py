"""Requests generated from the OpenAPI document: no server errors and only documented responses.

The full measurement is `python -m bench.reliability --only schemathesis`.
"""

from __future__ import annotations

from pathlib import Path

from testkit.keyfiles import line
from testkit.schema_requests import run
from testkit.service import running


def test_responses_conform_to_openapi(tiny_model_dir: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line("test", "k1"))
    with running(tiny_model_dir, jobs=1, keys_file=keys) as address:
        report = run(address, tmp_path, examples=10, key="k1")
    assert report["test_cases"]["generated"] > 50
    assert report["failures"] == report["errors"] == []
    assert report["complete"]
