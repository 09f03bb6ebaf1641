from __future__ import annotations

import pytest

from imageprocess.decode import sniff
from testkit.pictures import encode, gradient


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"])
def test_sniff_files_written_by_pillow(form: str) -> None:
    assert sniff(encode(gradient(), form)[:300]) == form


@pytest.mark.parametrize(
    ("major", "compatible", "expected"),
    [
        (b"heic", [b"mif1", b"heic"], "HEIC"),
        (b"mif1", [b"mif1", b"heic"], "HEIC"),
        (b"mif1", [b"mif1", b"avif"], "AVIF"),
        (b"avis", [b"msf1"], "AVIF"),
        (b"mp42", [b"isom"], None),
        (b"M4V ", [], None),
    ],
)
def test_iso_bmff_brands(major: bytes, compatible: list[bytes], expected: str | None) -> None:
    body = major + bytes(4) + b"".join(compatible)
    assert sniff((8 + len(body)).to_bytes(4, "big") + b"ftyp" + body + bytes(40)) == expected


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"RIFF\0\0\0\0WAVE", b"GIF88a", b"II*", b"BMW is a car"])
def test_similar_headers_are_not_images(data: bytes) -> None:
    assert sniff(data) is None


def test_brands_after_ftyp_box_are_ignored() -> None:
    assert sniff(b"\0\0\0\x10ftypisom" + bytes(4) + b"avif" * 10) is None
