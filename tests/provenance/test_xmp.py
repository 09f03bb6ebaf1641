"""XMP: which properties count; XML bombs are rejected."""

from __future__ import annotations

import time

import pytest

from imageprocess.provenance.xmp import read_xmp
from testkit.records import IPTC, XMP_HEAD, XMP_TAIL, xmp

NAME = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
VALUE = IPTC + "trainedAlgorithmicMedia"


@pytest.mark.parametrize(
    "packet",
    [
        xmp(attributes=f'Iptc4xmpExt:DigitalSourceType="{VALUE}"'),
        xmp(f"<Iptc4xmpExt:DigitalSourceType>{VALUE}</Iptc4xmpExt:DigitalSourceType>"),
        xmp(f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{VALUE}"/>'),
        xmp(
            f"<Iptc4xmpExt:DigitalSourceType><rdf:Bag><rdf:li>{VALUE}</rdf:li></rdf:Bag></Iptc4xmpExt:DigitalSourceType>"
        ),
        b'<?xpacket begin="" id="x"?>'
        + xmp(attributes=f'Iptc4xmpExt:DigitalSourceType="{VALUE}"')
        + b" " * 3000,
        xmp(attributes=f'Iptc4xmpExt:DigitalSourceType="{VALUE}"').decode().encode("utf-16"),
    ],
    ids=["attribute", "element", "resource", "list", "padded", "utf-16"],
)
def test_xmp_property_syntaxes(packet: bytes) -> None:
    assert read_xmp(packet)[NAME] == VALUE


def test_ingredient_property_is_not_of_image() -> None:
    inner = f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{VALUE}"/>'
    packet = xmp(f"<xmpMM:Ingredients><rdf:Bag><rdf:li>{inner}</rdf:li></rdf:Bag></xmpMM:Ingredients>")
    assert NAME not in read_xmp(packet)
    outside = f'<x:other xmlns:x="y" {XMP_HEAD.split(" ", 2)[2]}'.encode()
    assert NAME not in read_xmp(outside + xmp())


def test_broken_packet_gives_properties_before_error() -> None:
    packet = xmp(attributes=f'Iptc4xmpExt:DigitalSourceType="{VALUE}"')
    assert read_xmp(packet[:-5])[NAME] == VALUE
    for nothing in (None, b"", b" ", b"\0", b"<", b"<a", b"not xml", b"\xff\xfe\0"):
        assert read_xmp(nothing) == {}


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (98 + i, *[97 + i] * 8) for i in range(12)
)


@pytest.mark.parametrize(
    "bomb",
    [
        ENTITIES + b"]>" + XMP_HEAD.encode() + b"<rdf:Description>&m;</rdf:Description>" + XMP_TAIL.encode(),
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + xmp(),
        b" " * 50_000_000 + xmp(),
        XMP_HEAD.encode() + b"<rdf:Description><dc:title>" + b" " * 50_000_000,
        XMP_HEAD.encode() + b"<a>" * 600_000,
        XMP_HEAD.encode() + b"<rdf:Description>" + b"<a/>" * 450_000,
        xmp(attributes=" ".join(f'dc:a{i}="1"' for i in range(90_000))),
    ],
    ids=["entities", "dtd", "spaces-before", "spaces-inside", "deep", "wide", "attributes"],
)
def test_xml_bombs_are_rejected_quickly(bomb: bytes) -> None:
    began = time.process_time()
    read_xmp(bomb)
    assert time.process_time() - began < 1


def test_leading_whitespace_is_accepted() -> None:
    assert (
        read_xmp(b" " * 5_000_000 + xmp(attributes=f'Iptc4xmpExt:DigitalSourceType="{VALUE}"'))[NAME] == VALUE
    )
