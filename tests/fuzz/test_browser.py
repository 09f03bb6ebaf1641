"""The browser's metadata readers in Node on mutated files: no exception, less than a second, the same result as Python.
Some hundred files in the test run; with IMAGEPROCESS_FUZZ_SECONDS=600 ten minutes (`make fuzz-browser`).
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imageprocess.decode import read_header, sniff
from imageprocess.provenance import read_provenance
from imageprocess.provenance.inspection import inspect_file
from imageprocess.types import ImageFacts
from testkit.records import facts, png_texts
from tests.support.hostile_texts import hostile_files
from tests.support.mutations import edits, mutate, seeds
from tests.support.record_variants import variants

SECONDS = float(os.environ.get("IMAGEPROCESS_FUZZ_SECONDS", "0"))
FILES = 400
MAX_MS = 1_000
FORMATS = ("jpeg", "png", "webp", "isobmff", "gif")
READERS = Path(__file__).resolve().parents[1] / "readers.mjs"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")


class Readers:
    """A Node process that reads files. Fails the test without a response."""

    def __init__(self) -> None:
        self._node = subprocess.Popen(
            ["node", "--no-warnings", READERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def read(self, data: bytes) -> dict[str, Any]:
        assert self._node.stdin and self._node.stdout
        self._node.stdin.write(base64.b64encode(data) + b"\n")
        self._node.stdin.flush()
        answer: dict[str, Any] = json.loads(self._node.stdout.readline())
        return answer

    def close(self) -> None:
        self._node.kill()
        self._node.communicate()


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    started = Readers()
    yield started
    started.close()


@pytest.mark.parametrize(("what", "data"), hostile_files().items(), ids=hostile_files().keys())
def test_slow_regex_texts(what: str, data: bytes, readers: Readers) -> None:
    answer = readers.read(data)
    assert "error" not in answer, answer["error"]
    assert answer["ms"] < MAX_MS, what
    began = time.process_time()
    read_provenance(data, facts())
    assert 1000 * (time.process_time() - began) < MAX_MS, what


def test_mutated_files(readers: Readers) -> None:
    whole = _whole_files()
    chance = random.Random(None if SECONDS else 24)
    until, count = time.monotonic() + SECONDS, 0
    while count < FILES or time.monotonic() < until:
        data = mutate(chance.choice(whole), edits(chance, 0), chance.choice(whole))
        answer = readers.read(data)
        assert "error" not in answer, f"{answer['error']} on {data.hex()}"
        assert answer.get("ms", 0) < MAX_MS, f"{answer['ms']} ms on {data.hex()}"
        kind = sniff(data)
        assert answer["format"] == kind, data.hex()
        if kind:
            _compare(answer, data, kind)
        count += 1
    print(f"browser: {count:,} files")


def _whole_files() -> list[bytes]:
    tools = {name: text.decode() for name, text in zip("abcdef", seeds("generators"), strict=True)}
    files = [file for kind in FORMATS for file in seeds(kind)]
    return [*files, png_texts(tools), *(data for data, _, _ in variants().values())]


def _compare(browser: dict[str, Any], data: bytes, kind: str) -> None:
    """Texts outside XMP are equal (browsers read more of damaged XML); if all texts are equal, so are the claims.

    Python may report more on Content Credentials, as it verifies signatures.
    """
    image = read_header(data) or ImageFacts(kind, 0, 0, 1, len(data))
    python, _ = inspect_file(data, image, kind, trust_list=Path(os.devnull))
    assert _texts(browser, xmp=False) == _texts(python, xmp=False), data.hex()
    if _texts(browser, xmp=True) == _texts(python, xmp=True):
        assert _claims(browser) == _claims(python), data.hex()


def _texts(report: dict[str, Any], *, xmp: bool) -> list[str]:
    """Names of the texts: Python and JavaScript replace damaged characters differently."""
    return [text["name"] for text in report["texts"] if (text["place"] == "XMP") == xmp]


def _claims(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["kind"], item["points_to"]) for item in report["evidence"] if item["kind"] != "c2pa"]
