"""Container parsers: metadata in each container, and none outside of its structure."""

from __future__ import annotations

import struct
import time
import zlib

import pytest

from imageprocess.provenance.containers import read_records
from imageprocess.provenance.containers.records import MAX_TEXT_BYTES, MAX_TEXTS
from testkit.records import (
    exif,
    jpeg,
    jpeg_xmp,
    png,
    png_chunk,
    png_texts,
    webp,
    with_exif,
    with_xmp,
    xmp_source_type,
)

PACKET = xmp_source_type("trainedAlgorithmicMedia")


def texts_of(data: bytes, form: str = "PNG") -> dict[str, str]:
    return {text.name: text.text for text in read_records(data, form).texts}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_xmp_and_exif_in_every_container(form: str) -> None:
    assert read_records(with_xmp(form, PACKET), form).xmp == [PACKET]
    block = read_records(with_exif(form, exif(make="Nikon")), form).exif
    assert len(block) == 1 and b"Nikon" in block[0]


def test_png_text_chunk_kinds() -> None:
    text = "prompt: café".encode()
    chunks = [
        (b"tEXt", b"one\0" + "caf\xe9".encode("latin-1")),
        (b"zTXt", b"two\0\0" + zlib.compress(b"zipped")),
        (b"iTXt", b"three\0\0\0\0\0" + text),
        (b"iTXt", b"four\0\1\0en\0vier\0" + zlib.compress(text)),
        (b"tEXt", b"five\0" + text),
        (b"tEXt", b"one\0second"),
    ]
    assert texts_of(png(chunks)) == {
        "one": "café",  # Latin-1, as specified; the first text of a name counts
        "two": "zipped",
        "three": "prompt: café",
        "four": "prompt: café",
        "five": "prompt: café",  # UTF-8, as some generators write
    }


@pytest.mark.parametrize(
    "tail",
    [
        png_chunk(b"tEXt", b"parameters\0a cat\nSteps: 20, Sampler: Euler a"),
        b"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        b"\xff\xe1\x00\x10http://ns.adobe.com/xap/1.0/\0" + PACKET,
        b"jumbc2pa",
    ],
)
def test_data_after_end_of_image_is_ignored(tail: bytes) -> None:
    for form, data in (("PNG", png()), ("JPEG", jpeg()), ("WEBP", webp([]))):
        assert read_records(data + tail, form) == read_records(data, form)


def test_marker_inside_other_segment_is_ignored() -> None:
    comment = jpeg([(0xFE, b"\xff\xe1\x00\x99http://ns.adobe.com/xap/1.0/\0" + PACKET)])
    assert read_records(comment, "JPEG").xmp == []
    nested = png([(b"tEXt", b"note\0" + png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET))])
    assert read_records(nested, "PNG").xmp == []


def test_iptc_in_photoshop_resources() -> None:
    iim = b"\x1c\x02\x6e\x00\x13Made with Google AI"
    other = b"8BIM\x04\x0c\x03abc" + struct.pack(">I", 5) + b"12345\0"
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iim)) + iim
    records = read_records(jpeg([(0xED, b"Photoshop 3.0\0" + other + resource)]), "JPEG")
    assert records.iptc_iim == iim


def test_100_000_text_chunks_are_fast() -> None:
    chunk = png_chunk(b"tEXt", b"parameters\0" + b"x" * 40)
    plain = png()
    data = plain[:33] + chunk * 100_000 + plain[33:]
    began = time.process_time()
    records = read_records(data, "PNG")
    assert time.process_time() - began < 1
    assert len(records.texts) == 1
    many = png((b"tEXt", b"name%d\0x" % i) for i in range(10_000))
    assert len(texts_of(many)) == MAX_TEXTS


def test_compressed_text_bomb_is_limited() -> None:
    bomb = zlib.compress(bytes(40_000_000), 1)
    records = read_records(png([(b"zTXt", b"a\0\0" + bomb), (b"zTXt", b"b\0\0" + bomb)]), "PNG")
    assert sum(len(text.text) for text in records.texts) <= MAX_TEXT_BYTES


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIC", "TIFF", "GIF", "BMP"])
def test_truncated_and_random_files_do_not_crash(form: str) -> None:
    whole = {
        "JPEG": jpeg_xmp(PACKET),
        "PNG": png_texts({"parameters": "x"}),
        "WEBP": webp([(b"XMP ", PACKET)]),
        "AVIF": with_xmp("AVIF", PACKET),
        "TIFF": exif(make="Nikon"),
    }.get(form, b"\0" * 40)
    for end in range(0, min(len(whole), 1500), 7):
        read_records(whole[:end], form)
    for garbage in (b"", b"\xff" * 500, b"\0" * 500, bytes(range(256)) * 3):
        read_records(garbage, form)


def test_wrong_sizes_end_parsing() -> None:
    liar = struct.pack(">I", 0xFFFFFFFF) + b"tEXt" + b"parameters\0x"
    assert texts_of(png()[:33] + liar) == {"": ""}
    box = struct.pack(">I", 24) + b"ftypavif\0\0\0\0avifmif1"
    for size in (b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\7", b"\xff\xff\xff\xff"):
        assert read_records(box + size + b"meta" + bytes(60), "AVIF").xmp == []
