"""Arbitrary bytes give an image or an InputError in bounded time."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imageprocess.decode import Limits, decode
from imageprocess.errors import InputError
from testkit.pictures import encode, gradient

LIMITS = Limits(max_pixels=4_000_000)
VARIANTS = {
    "JPEG": {},
    "JPEG progressive": {"progressive": True},
    "PNG": {},
    "WEBP": {},
    "WEBP lossless": {"lossless": True},
    "AVIF": {"speed": 10},
    "GIF": {},
    "GIF animated": {"save_all": True},
    "BMP": {},
    "TIFF": {},
    "TIFF lzw": {"compression": "tiff_lzw"},
    "TIFF jpeg": {"compression": "jpeg"},
}


@functools.cache
def _whole(variant: str) -> bytes:
    options = dict(VARIANTS[variant])
    if "save_all" in options:
        options["append_images"] = [gradient(20, 30)]
    return encode(gradient(40, 30), variant.split()[0], **options)


def _decode(data: bytes) -> None:
    try:
        image = decode(data, limits=LIMITS)
    except InputError as error:
        assert str(error)
    else:
        assert image.pixels.shape == (image.facts.height, image.facts.width, 3)


@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_bit_flips_and_truncation(variant: str, data: st.DataObject) -> None:
    damaged = bytearray(_whole(variant))
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=6)):
        damaged[at] ^= data.draw(st.integers(1, 255))
    _decode(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


@settings(max_examples=200, deadline=None)
@given(
    signature=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0+",
                               b"RIFF\x40\0\0\0WEBP", b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypheic"]),
    rest=st.binary(max_size=400),
)  # fmt: skip
def test_signature_followed_by_random_bytes(signature: bytes, rest: bytes) -> None:
    _decode(signature + rest)


def test_hostile_collection(shared_dir: Path) -> None:
    files = [path for path in (shared_dir / "hostile").rglob("*") if path.is_file()]
    assert files
    slowest = 0.0
    for path in files:
        began = time.process_time()
        try:
            decode(path.read_bytes(), name=path.name)
        except InputError as error:
            assert path.name in str(error)
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 10
