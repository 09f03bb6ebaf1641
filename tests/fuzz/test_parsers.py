"""Every parser of hostile bytes, under mutations of real files: no exception, no call over a second, no growth over
200 MB. A hundred examples each with the tests; with IMAGEPROCESS_FUZZ_SECONDS=600 each goes on for ten minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import random
import struct
import sys
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from functools import lru_cache
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
from imageprocess.provenance.c2pa.history import tell
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
from testkit.pictures import encode, gradient
from testkit.records import (
    C2PA_ACTIONS,
    exif,
    facts,
    gif_application,
    gif_xmp,
    jpeg,
    jpeg_extended_xmp,
    jpeg_xmp,
    png,
    raw_profile,
    samsung_trailer,
    store_of_two,
    store_with_claim,
    webp,
    with_exif,
    with_xmp,
    xmp,
    xmp_source_type,
)

SECONDS = float(os.environ.get("IMAGEPROCESS_FUZZ_SECONDS", "0"))
MAX_SECONDS_A_CALL = 1.0
MAX_GROWTH_BYTES = 200_000_000

PACKET = xmp_source_type("trainedAlgorithmicMedia")
GRAPH = json.dumps(
    {
        "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 48}},
        "2": {
            "class_type": "KSampler",
            "inputs": {"seed": 7, "latent_image": ["1", 0], "positive": ["3", 0]},
        },
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox"}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
    }
)
DRAWN = json.dumps(
    {
        "nodes": [
            {"id": 1, "type": "S", "inputs": []},
            {"id": 2, "type": "SaveImage", "inputs": [{"name": "images", "link": 1}]},
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
        "definitions": {
            "subgraphs": [
                {
                    "id": "S",
                    "inputNode": {"id": -10},
                    "outputNode": {"id": -20},
                    "nodes": [{"id": 3, "type": "KSampler", "inputs": [{"name": "latent_image", "link": 2}]}],
                    "links": [
                        {"id": 3, "origin_id": 3, "origin_slot": 0, "target_id": -20, "target_slot": 0},
                        {"id": 2, "origin_id": -10, "origin_slot": 0, "target_id": 3, "target_slot": 0},
                    ],
                }
            ]
        },
    }
)
A1111 = (
    'a cat\nNegative prompt: b\nSteps: 20, Sampler: Euler a, Seed: 1, Lora hashes: "a: 1, b: 2", Size: 64x48'
)
IIM = b"\x1c\x02\x05\x00\x01x\x1c\x02\x6e\x00\x13Made with Google AI"
PHOTOSHOP = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(IIM)) + IIM
COMMENT = b"UNICODE\0" + A1111.encode("utf-16-le")
EXIF = exif(make="Nikon", model="D90", taken="2013:01:03 17:59:07", user_comment=COMMENT)
STORE = struct.pack(">I", 54) + b"jumb" + struct.pack(">I", 30) + b"jumd"
STORE += b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
STORE += struct.pack(">I", 16) + b"jumb" + struct.pack(">I", 8) + b"free"


@lru_cache
def seeds(target: str) -> list[bytes]:
    """Sound files of the target's kind, small, so that mutations meet structure rather than pixels."""
    if target == "jpeg":
        app11 = b"JP\0\1\0\0\0\1" + STORE
        return [
            jpeg([(0xE1, b"Exif\0\0" + EXIF), (0xEB, app11), (0xED, PHOTOSHOP)], gradient()),
            jpeg_xmp(PACKET),
            jpeg([(0xFE, A1111.encode()), (0xE9, b'AIGC{"Label": "1"}')], gradient()) + samsung_trailer("1"),
            jpeg_extended_xmp(PACKET),
        ]
    if target == "gif":
        return [gif_xmp(PACKET), gif_application(b"C2PA_GIF\x01\0\0", STORE)]
    if target == "png":
        chunks = [(b"eXIf", EXIF), (b"caBX", STORE), (b"tEXt", b"parameters\0" + A1111.encode())]
        profile = (
            b"zTXt",
            b"Raw profile type exif\0\0" + zlib.compress(raw_profile("exif", b"Exif\0\0" + EXIF)),
        )
        return [
            png([*chunks, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)], gradient()),
            png([profile], gradient()),
        ]
    if target == "webp":
        return [webp([(b"EXIF", EXIF), (b"XMP ", PACKET), (b"C2PA", STORE)])]
    if target == "isobmff":
        return [with_xmp("AVIF", PACKET), with_exif("AVIF", EXIF)]
    if target == "exif":
        return [EXIF, encode(gradient(), "TIFF")]
    if target == "xmp":
        return [
            PACKET,
            xmp("<dc:description><rdf:Alt><rdf:li xml:lang='x'>d</rdf:li></rdf:Alt></dc:description>"),
        ]
    if target == "iptc":
        return [IIM]
    if target == "jumbf":
        return [STORE]
    if target == "cbor":
        return [
            C2PA_ACTIONS,
            bytes.fromhex("bf6161019f0203ffff"),
            bytes.fromhex("c074323031332d30332d32315432303a30343a30305a"),
        ]
    if target == "claims":
        return [store_with_claim(), store_of_two()]
    if target == "generators":
        return [
            A1111.encode(),
            GRAPH.encode(),
            b'{"AIGC": {"Label": "1"}}',
            b'{"mflux_version": "1", "prompt": "p"}',
            b'{"sui_image_params": {"prompt": "p"}, "Comment": "{\\"uc\\": \\"x\\", \\"prompt\\": \\"y\\"}"}',
            DRAWN.encode(),
        ]
    if target == "keys":
        return [f"# ours\ndesk {64 * 'a'}\n\nlab\t{64 * '0'} # b\n".encode()]
    if target == "json-body":
        return [
            b'{"image_base64": "data:image/png;base64,aGVsbG8=", "name": "a \\ud800", "more": [1, {"a": null}]}'
        ]
    if target == "forwarded":
        return [b"203.0.113.9, [2001:db8::1]:443, 10.0.0.1", b"unknown, 198.51.100.1:80,, fe80::1%eth0"]
    if target == "form":
        file = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nPNG\r\n'
        field = b'--edge\r\nContent-Disposition: form-data; name="mode"\r\n\r\nbalanced\r\n'
        return [file + field + file + b"--edge--\r\n"]
    return _signed()


def _signed() -> list[bytes]:
    from testkit.credentials import created, opened, sign

    plain = encode(gradient(), "JPEG")
    generated = sign(plain, [created("trainedAlgorithmicMedia")])
    return [generated, sign(plain, [opened()], ingredients=[("parentOf", generated)])]


def _keys(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        parse_keys(data, "keys")


def _json_body(data: bytes) -> None:
    with contextlib.suppress(worker._MalformedError, InputError):
        worker._read_json(data, 1_000_000)


def _forwarded(data: bytes) -> None:
    """The header as h11 hands it on, from a trusted proxy."""
    trusted = _TrustedHosts(["127.0.0.1", "10.0.0.0/8"])
    host, _ = trusted.get_trusted_client_address(data.decode("latin-1"))
    assert len(subject(host)) <= 45


def _form(data: bytes) -> None:
    """In pieces, as it comes from the network."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        for at in range(0, len(data), 100):
            yield data[at : at + 100]

    headers = Headers({"content-type": "multipart/form-data; boundary=edge"})

    async def parse() -> None:
        parser = MultiPartParser(headers, pieces(), max_files=100, max_fields=100)
        try:
            await parser.parse()
        finally:
            for file in parser._files_to_close_on_error:  # those of a form that is cut off are left to us
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
    told = {**dict.fromkeys(names, text), "Software": "NovelAI", "Description": text}
    read_generators(collect(Text("PNG text", name, told[name]) for name in told), facts())


def _cbor(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        decode_cbor(data)


def _claims(data: bytes) -> None:
    report = read_claims(data) if is_sane(data) else None
    if report:
        tell(report["manifests"], report["active_manifest"], report["manifests"].keys())
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

# (what, where, how much, with what): where and how much as shares of the file's length.
Edit = tuple[str, float, float, bytes]
WHATS = ["overwrite", "insert", "delete", "repeat", "number", "splice", "cut"]
MAX_EDITS, MAX_SHARE, MAX_BYTES = 8, 0.3, 16
EDIT = st.tuples(
    st.sampled_from(WHATS), st.floats(0, 1), st.floats(0, MAX_SHARE), st.binary(max_size=MAX_BYTES)
)
NUMBERS = [struct.pack(">I", n) for n in (0, 1, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)]


def mutate(data: bytes, edits: list[Edit], other: bytes) -> bytes:
    for what, where, share, with_what in edits:
        at = int(where * len(data))
        size = int(share * len(data))
        if what == "overwrite":
            data = data[:at] + with_what + data[at + len(with_what) :]
        elif what == "insert":
            data = data[:at] + with_what + data[at:]
        elif what == "delete":
            data = data[:at] + data[at + size :]
        elif what == "repeat":
            data = data[:at] + data[at : at + size] * (1 + len(with_what)) + data[at + size :]
        elif what == "number":
            data = data[:at] + NUMBERS[len(with_what) % len(NUMBERS)] + data[at + 4 :]
        elif what == "splice":
            data = data[:at] + other[int(where * len(other)) :]
        else:
            data = data[:at]
        data = data[:2_000_000]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_survives(name: str) -> None:
    if name == "c2pa" and not (importlib.util.find_spec("c2pa") and importlib.util.find_spec("cryptography")):
        pytest.skip("needs the extra [c2pa], and cryptography to make certificates")
    parse, sound = TARGETS[name], seeds(name)

    def survives(data: bytes) -> None:
        began = time.process_time()  # CPU time: a busy machine is no hang
        parse(data)
        assert time.process_time() - began < MAX_SECONDS_A_CALL

    for data in sound:
        survives(data)
    before = peak_bytes()
    if SECONDS:
        go_on(survives, sound, name)
    else:
        a_hundred_examples(survives, sound)
    assert peak_bytes() - before < MAX_GROWTH_BYTES


def a_hundred_examples(survives: Callable[[bytes], None], sound: list[bytes]) -> None:
    """Hypothesis's, which shrinks what fails."""

    @settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(sound),
        st.sampled_from(sound),
        st.lists(EDIT, max_size=MAX_EDITS),
        st.binary(max_size=64),
    )
    def run(start: bytes, other: bytes, edits: list[Edit], raw: bytes) -> None:
        survives(mutate(start, edits, other) if edits else raw)

    run()


def go_on(survives: Callable[[bytes], None], sound: list[bytes], name: str) -> None:
    """The same edits drawn by plain chance, ten times as fast; the input that fails is in the error."""
    chance, until, count = random.Random(), time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        edits = [
            (
                chance.choice(WHATS),
                chance.random(),
                chance.random() * MAX_SHARE,
                chance.randbytes(chance.randrange(MAX_BYTES + 1)),
            )
            for _ in range(chance.randint(1, MAX_EDITS))
        ]
        data = mutate(chance.choice(sound), edits, chance.choice(sound))
        try:
            survives(data)
        except BaseException as error:
            raise AssertionError(f"{name} on {data.hex()}") from error
        count += 1
    print(f"{name}: {count:,} inputs in {SECONDS:.0f} s")


def peak_bytes() -> int:
    """The most memory that this process has held. Windows has no such count: 0."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
