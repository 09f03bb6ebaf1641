"""Reads the simple properties of an XMP packet. Parsed as a stream, so that a hostile packet cannot build a large
tree."""

from __future__ import annotations

from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

_MAX_BYTES = 2_000_000  # ISO 16684-1 packets are kilobytes; depth maps and thumbnails are stored elsewhere
_MAX_ELEMENTS = 20_000
_MAX_DEPTH = 64
_MAX_VALUES = 2_000

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"

Properties = dict[str, str]  # "{namespace}name" -> the property's first value


class _TooMuchError(Exception):
    """More elements, depth or values than a genuine packet has."""


def read_xmp(packet: bytes | None) -> Properties:
    """The packet's top-level properties: attributes and children of rdf:Description, texts of their rdf:li.

    Properties inside structures (of an ingredient, of a person) do not describe the image and are ignored. A packet
    that is too large, malformed or hostile (entities, a DTD) gives the properties before that point, or none."""
    packet = (packet or b"").strip(b" \t\r\n\0")
    if not packet or len(packet) > _MAX_BYTES:
        return {}
    collector = _Collector()
    parser = DefusedXMLParser(target=collector, forbid_dtd=True)
    try:
        parser.feed(packet)
        parser.close()
    except (ParseError, DefusedXmlException, _TooMuchError, ValueError, LookupError):
        pass  # return what was collected so far
    return collector.properties


class _Collector:
    """Tracks the path from rdf:RDF down, and collects the values at the path Description/property[/container/li]."""

    def __init__(self) -> None:
        self.properties: Properties = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._path.append(tag)
        if self._elements > _MAX_ELEMENTS or len(self._path) > _MAX_DEPTH:
            raise _TooMuchError
        self._text = []
        under_rdf = self._path[self._path.index(RDF + "RDF") + 1 :] if RDF + "RDF" in self._path else []
        if under_rdf == [RDF + "Description"]:
            for name, value in attributes.items():
                if name.startswith("{") and not name.startswith(RDF):
                    self._add(name, value)
        elif len(under_rdf) == 2 and RDF + "resource" in attributes:
            self._add(tag, attributes[RDF + "resource"])

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, tag: str) -> None:
        value = "".join(self._text).strip()
        self._text = []
        under_rdf = self._path[self._path.index(RDF + "RDF") + 1 :] if RDF + "RDF" in self._path else []
        self._path.pop()
        if not value or under_rdf[:1] != [RDF + "Description"]:
            return
        is_simple = len(under_rdf) == 2
        is_list_item = len(under_rdf) == 4 and tag == RDF + "li" and under_rdf[2].startswith(RDF)
        if is_simple or is_list_item:
            self._add(under_rdf[1], value)

    def close(self) -> None:
        return None

    def _add(self, name: str, value: str) -> None:
        if len(self.properties) >= _MAX_VALUES:
            raise _TooMuchError
        self.properties.setdefault(name, value)
