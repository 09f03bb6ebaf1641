from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from testkit.service import running


@pytest.fixture(scope="session")
def client(tiny_model_dir: Path) -> Iterator[httpx.Client]:
    """A client of a service with default settings and the tiny model."""
    with running(tiny_model_dir) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client
