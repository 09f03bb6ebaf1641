"""A folder of image files, and a reader of result rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imageprocess.batch.score import Task
from testkit.pictures import encode, plain

Rows = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def task(tiny_model_dir: Path) -> Task:
    return Task(model=str(tiny_model_dir))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images of several formats and verdicts; number 7 is broken, number 11 empty."""
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(60):
        form = ("JPEG", "PNG", "WEBP")[i % 3]
        (folder / f"{i:03}.{form.lower()}").write_bytes(encode(plain(i * 4, 40 + i), form))
    (folder / "007.png").write_bytes(b"no picture")
    (folder / "011.webp").write_bytes(b"")
    return folder


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Records of a JSONL file without the fields that differ between runs."""

    def read(path: Path) -> list[dict[str, Any]]:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
        for record in records:
            record.pop("elapsed_ms", None)
        return records

    return read
