"""Hostile files on a running service: each gets a record in time while other requests are answered.

The full measurement is `python -m bench.reliability --only hostile`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import pytest

from testkit import hostile_files
from testkit.service import running

CODES = {"too_large", "too_many_pixels", "unsupported_format", "corrupt", "timeout"}
TIMEOUT_S = 10


@pytest.fixture(scope="module")
def client(tiny_model_dir: Path) -> Iterator[httpx.Client]:
    with running(tiny_model_dir, jobs=1) as address, httpx.Client(base_url=address, timeout=300) as client:
        yield client


def check(client: httpx.Client, files: Iterator[tuple[str, bytes]], at_once: int = 50) -> int:
    """Send all files; returns their number."""
    count, done = 0, threading.Event()
    slowest_s = [0.0]

    def probe() -> None:
        with httpx.Client(base_url=client.base_url, timeout=30) as prober:
            while not done.wait(0.05):
                began = time.monotonic()
                assert prober.get("/healthz").status_code == 200
                slowest_s[0] = max(slowest_s[0], time.monotonic() - began)

    prober = threading.Thread(target=probe)
    prober.start()
    try:
        while batch := list(islice(files, at_once)):
            began = time.monotonic()
            response = client.post("/v1/detect", files=[("file", file) for file in batch])
            assert response.status_code == 200, response.text
            assert time.monotonic() - began < TIMEOUT_S * len(batch) + 2
            for record in response.json()["results"]:
                assert record["status"] == "ok" or record["error"]["code"] in CODES, record
            count += len(batch)
    finally:
        done.set()
        prober.join()
    assert slowest_s[0] < 5
    return count


def test_files_truncated_at_every_64th_byte(client: httpx.Client) -> None:
    assert check(client, hostile_files.truncated()) > 1000


def test_flipped_bits(client: httpx.Client) -> None:
    assert check(client, hostile_files.flipped(20)) == 200


def test_decompression_bombs_are_rejected(client: httpx.Client) -> None:
    quick = (bomb for bomb in hostile_files.bombs(megabytes=30) if "scans" not in bomb[0])
    assert check(client, quick, at_once=1) > 10


def test_hostile_file_collections(client: httpx.Client, shared_dir: Path) -> None:
    assert check(client, hostile_files.collected(shared_dir / "hostile", every=8)) > 200
