"""Every parser on mutated real files: no exception, no call over one second, no growth over 200 MB. A hundred examples
each in the test run; ten minutes each with IMAGEPROCESS_FUZZ_SECONDS=600.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import random
import sys
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from uvicorn.middleware.proxy_headers import _TrustedHosts

from imageprocess.errors import InputError, UsageError
from imageprocess.provenance import read_provenance
from imageprocess.provenance.c2pa.cbor import MalformedError, decode_cbor
from imageprocess.provenance.c2pa.claims import read_claims
from imageprocess.provenance.c2pa.history import summarise
from imageprocess.provenance.c2pa.jumbf import is_sane
from imageprocess.provenance.containers import Text, read_records
from imageprocess.provenance.exif import read_exif
from imageprocess.provenance.generators import read_generators
from imageprocess.provenance.inspection import list_manifests
from imageprocess.provenance.iptc import read_iptc
from imageprocess.provenance.texts import collect
from imageprocess.provenance.xmp import read_xmp
from imageprocess.serve import worker
from imageprocess.serve.keys import parse_keys
from imageprocess.serve.rates import subject
from testkit.records import facts
from tests.support.mutations import MAX_BYTES, MAX_EDITS, MAX_SHARE, WHATS, Edit, edits, mutate, seeds

SECONDS = float(os.environ.get("IMAGEPROCESS_FUZZ_SECONDS", "0"))
MAX_SECONDS_A_CALL = 1.0
MAX_GROWTH_BYTES = 200_000_000


def _keys(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        parse_keys(data, "keys")


def _json_body(data: bytes) -> None:
    with contextlib.suppress(worker._MalformedError, InputError):
        worker._read_json(data, 1_000_000)


def _forwarded(data: bytes) -> None:
    """The header as received from a trusted proxy."""
    trusted = _TrustedHosts(["127.0.0.1", "10.0.0.0/8"])
    host, _ = trusted.get_trusted_client_address(data.decode("latin-1"))
    assert len(subject(host)) <= 45


def _form(data: bytes) -> None:
    """In chunks, as received from the network."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        for at in range(0, len(data), 100):
            yield data[at : at + 100]

    headers = Headers({"content-type": "multipart/form-data; boundary=edge"})

    async def parse() -> None:
        parser = MultiPartParser(headers, pieces(), max_files=100, max_fields=100)
        try:
            await parser.parse()
        finally:
            for file in parser._files_to_close_on_error:  # the caller closes the files of a truncated form
                file.close()

    with contextlib.suppress(MultiPartException):
        asyncio.run(parse())


def _generators(data: bytes) -> None:
    text = data.decode("utf-8", errors="replace")
    names = (
        "parameters",
        "prompt",
        "workflow",
        "invokeai_metadata",
        "sd-metadata",
        "Comment",
        "AIGC",
        "user_comment",
    )
    texts = {**dict.fromkeys(names, text), "Software": "NovelAI", "Description": text}
    read_generators(collect(Text("PNG text", name, texts[name]) for name in texts), facts())


def _cbor(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        decode_cbor(data)


def _claims(data: bytes) -> None:
    report = read_claims(data) if is_sane(data) else None
    if report:
        summarise(report["manifests"], report["active_manifest"], report["manifests"].keys())
        list_manifests(data)


TARGETS: dict[str, Callable[[bytes], object]] = {
    "jpeg": lambda data: read_records(data, "JPEG"),
    "png": lambda data: read_records(data, "PNG"),
    "webp": lambda data: read_records(data, "WEBP"),
    "isobmff": lambda data: read_records(data, "AVIF"),
    "gif": lambda data: read_records(data, "GIF"),
    "exif": read_exif,
    "xmp": read_xmp,
    "iptc": lambda data: read_iptc({}, data),
    "jumbf": is_sane,
    "cbor": _cbor,
    "claims": _claims,
    "generators": _generators,
    "keys": _keys,
    "json-body": _json_body,
    "forwarded": _forwarded,
    "form": _form,
    "c2pa": lambda data: read_provenance(data, facts("JPEG"), trust_list=Path(os.devnull)),
}

EDIT = st.tuples(
    st.sampled_from(WHATS), st.floats(0, 1), st.floats(0, MAX_SHARE), st.binary(max_size=MAX_BYTES)
)


@pytest.mark.parametrize("name", TARGETS)
def test_parser_survives_mutated_input(name: str) -> None:
    if name == "c2pa" and not (importlib.util.find_spec("c2pa") and importlib.util.find_spec("cryptography")):
        pytest.skip("needs the extra [c2pa] and the package cryptography")
    parse, sound = TARGETS[name], seeds(name)

    def check_limits(data: bytes) -> None:
        began = time.process_time()  # CPU time, independent of other load
        parse(data)
        assert time.process_time() - began < MAX_SECONDS_A_CALL

    for data in sound:
        check_limits(data)
    before = peak_bytes()
    if SECONDS:
        run_random_examples(check_limits, sound, name)
    else:
        run_hypothesis_examples(check_limits, sound)
    assert peak_bytes() - before < MAX_GROWTH_BYTES


def run_hypothesis_examples(check_limits: Callable[[bytes], None], sound: list[bytes]) -> None:
    """Edits drawn by Hypothesis, which shrinks failures."""

    @settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(sound),
        st.sampled_from(sound),
        st.lists(EDIT, max_size=MAX_EDITS),
        st.binary(max_size=64),
    )
    def run(start: bytes, other: bytes, drawn: list[Edit], raw: bytes) -> None:
        check_limits(mutate(start, drawn, other) if drawn else raw)

    run()


def run_random_examples(check_limits: Callable[[bytes], None], sound: list[bytes], name: str) -> None:
    """The same edits drawn at random, ten times as fast; the error contains the failing input."""
    chance, until, count = random.Random(), time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        data = mutate(chance.choice(sound), edits(chance), chance.choice(sound))
        try:
            check_limits(data)
        except BaseException as error:
            raise AssertionError(f"{name} on {data.hex()}") from error
        count += 1
    print(f"{name}: {count:,} inputs in {SECONDS:.0f} s")


def peak_bytes() -> int:
    """Peak memory of this process; 0 on Windows."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
