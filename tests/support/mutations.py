"""Small valid files of every parsed format, and mutations of them for fuzzing."""

from __future__ import annotations

import json
import random
import struct
import zlib
from functools import lru_cache

from testkit.pictures import encode, gradient
from testkit.records import (
    C2PA_ACTIONS,
    exif,
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
    """Small valid files for the target, so that mutations hit structure rather than pixels."""
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
    return _text_seeds(target)


def _text_seeds(target: str) -> list[bytes]:
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


# (operation, position, length, data): position and length as fractions of the file size.
Edit = tuple[str, float, float, bytes]
WHATS = ["overwrite", "insert", "delete", "repeat", "number", "splice", "cut"]
MAX_EDITS, MAX_SHARE, MAX_BYTES = 8, 0.3, 16
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


def edits(chance: random.Random, least: int = 1) -> list[Edit]:
    """Random edits, ten times as fast as drawn by Hypothesis."""
    return [
        (
            chance.choice(WHATS),
            chance.random(),
            chance.random() * MAX_SHARE,
            chance.randbytes(chance.randrange(MAX_BYTES + 1)),
        )
        for _ in range(chance.randint(least, MAX_EDITS))
    ]
