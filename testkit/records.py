"""Image files with metadata, assembled byte by byte, independently of the parsers under test."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image

from imageprocess.types import ImageFacts
from testkit.pictures import encode, scene

XMP_HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/">'
)
XMP_TAIL = "</rdf:RDF></x:xmpmeta>"
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def facts(form: str = "PNG", width: int = 320, height: int = 240) -> ImageFacts:
    return ImageFacts(form, width, height, 1, 0)


def xmp(*children: str, attributes: str = "") -> bytes:
    return f"{XMP_HEAD}<rdf:Description {attributes}>{''.join(children)}</rdf:Description>{XMP_TAIL}".encode()


def xmp_source_type(term: str) -> bytes:
    return xmp(attributes=f'Iptc4xmpExt:DigitalSourceType="{IPTC}{term}"')


def png(chunks: Iterable[tuple[bytes, bytes]] = (), picture: Image.Image | None = None) -> bytes:
    """A PNG with `chunks` (type, body) after its header."""
    plain = encode(picture or scene(1), "PNG")
    return plain[:33] + b"".join(png_chunk(kind, body) for kind, body in chunks) + plain[33:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_texts(texts: Mapping[str, str]) -> bytes:
    return png((b"tEXt", name.encode() + b"\0" + text.encode()) for name, text in texts.items())


def jpeg(segments: Iterable[tuple[int, bytes]] = (), picture: Image.Image | None = None) -> bytes:
    """A JPEG with `segments` (marker, body) after its start marker."""
    plain = encode(picture or scene(1), "JPEG")
    added = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return plain[:2] + added + plain[2:]


def jpeg_xmp(packet: bytes) -> bytes:
    return jpeg([(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)])


def jpeg_extended_xmp(packet: bytes) -> bytes:
    """`packet` in two segments, as XMP of more than 64 kB is stored."""
    guid, half = b"0123456789ABCDEF" * 2, len(packet) // 2
    pieces = [(half, packet[half:]), (0, packet[:half])]
    return jpeg(
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(packet), at) + piece)
        for at, piece in pieces
    )


def samsung_trailer(gen_ai_type: str) -> bytes:
    """Samsung's trailer after the end of a JPEG, with the photo editor's data."""
    name = b"PhotoEditor_Re_Edit_Data"
    content = f'{{"originalPath": "x", "genAIType": {gen_ai_type}}}'.encode()
    block = b"\0\0\xa1\x0b" + struct.pack("<I", len(name)) + name + content
    entry = b"\0\0\xa1\x0b" + struct.pack("<II", len(block), len(block))
    directory = b"SEFH" + struct.pack("<II", 106, 1) + entry
    return block + directory + struct.pack("<I", len(directory)) + b"SEFT"


def raw_profile(name: str, profile: bytes) -> bytes:
    """ImageMagick's text encoding of a profile in a PNG."""
    digits = profile.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"\n{name}\n{len(profile):8}\n{lines}\n".encode()


def gif_application(name: bytes, body: bytes) -> bytes:
    """A GIF with an application block, in sub-blocks, after its header."""
    blocks = b"".join(
        bytes([len(part)]) + part for part in (body[at : at + 255] for at in range(0, len(body), 255))
    )
    return _gif_with(b"\x21\xff\x0b" + name + blocks + b"\0")


def gif_xmp(packet: bytes) -> bytes:
    """XMP in a GIF: unescaped, with the trailer that lets readers of sub-blocks end correctly."""
    return _gif_with(b"\x21\xff\x0bXMP DataXMP" + packet + b"\1" + bytes(range(255, -1, -1)) + b"\0")


def gif_comment(text: bytes) -> bytes:
    return _gif_with(b"\x21\xfe" + bytes([len(text)]) + text + b"\0")


def _gif_with(extension: bytes) -> bytes:
    plain = encode(scene(1), "GIF")
    at = 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0)
    return plain[:at] + extension + plain[at:]


def webp(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    plain = encode(scene(1), "WEBP")
    body = plain[12:]
    for kind, content in chunks:
        body += kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def exif(**texts: object) -> bytes:
    """EXIF (a TIFF structure) by Pillow: make, model, software, taken, lens, user_comment (bytes), exposure_time_s."""
    block = Image.Exif()
    inner = block.get_ifd(0x8769)
    tags = {"description": 0x010E, "make": 0x010F, "model": 0x0110, "software": 0x0131}
    inner_tags = {"taken": 0x9003, "lens": 0xA434, "user_comment": 0x9286, "exposure_time_s": 0x829A}
    for name, value in texts.items():
        if name in tags:
            block[tags[name]] = value
        else:
            inner[inner_tags[name]] = value
    return block.tobytes().removeprefix(b"Exif\0\0")


def with_exif(form: str, block: bytes) -> bytes:
    stream = io.BytesIO()
    scene(1).save(stream, form, exif=b"Exif\0\0" + block)
    return stream.getvalue()


def with_xmp(form: str, packet: bytes) -> bytes:
    if form == "PNG":
        return png([(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)])
    stream = io.BytesIO()
    scene(1).save(stream, form, xmp=packet)
    return stream.getvalue()


# {"actions": [{"action": "c2pa.created", "digitalSourceType": "trainedAlgorithmicMedia"}]}
C2PA_ACTIONS = (
    b"\xa1\x67actions\x81\xa2\x66action\x6cc2pa.created\x71digitalSourceType\x77trainedAlgorithmicMedia"
)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _superbox(label: bytes, *content: bytes) -> bytes:
    kind = (b"c2pa" if label == b"c2pa" else b"").ljust(16, b"\0")
    return _box(b"jumb", _box(b"jumd", kind + b"\3" + label + b"\0") + b"".join(content))


def cbor(value: Any) -> bytes:
    """CBOR (RFC 8949) of texts, bytes, integers, lists and dicts."""

    def head(major: int, length: int) -> bytes:
        return bytes([major << 5 | 25]) + struct.pack(">H", length)

    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(0, int(value))


_NAMED = {
    "credentialSubject": {"verifiedIdentities": [{"name": "Ada Example", "provider": {"name": "ID Desk"}}]}
}
IDENTITY = {
    "signer_payload": {"sig_type": "cawg.identity_claims_aggregation", "role": ["cawg.creator"]},
    "signature": cbor([b"", {}, json.dumps(_NAMED).encode(), b"signature"]),
}


def store_of_two() -> bytes:
    """Two manifests: a generated image, and one derived from it, with an identity and a soft binding."""

    def assertion(label: str, value: Any) -> bytes:
        return _superbox(label.encode(), _box(b"cbor", cbor(value)))

    def claim(name: str) -> bytes:
        return _superbox(b"c2pa.claim.v2", _box(b"cbor", cbor({"claim_generator_info": {"name": name}})))

    made = _superbox(b"c2pa.actions.v2", _box(b"cbor", C2PA_ACTIONS))
    first = _superbox(b"urn:first", _superbox(b"c2pa.assertions", made), claim("Painter"))
    parent = {"dc:title": "draft.png", "relationship": "parentOf",
              "activeManifest": {"url": "self#jumbf=/c2pa/urn:first"}}  # fmt: skip
    second = _superbox(
        b"c2pa.assertions",
        assertion("c2pa.ingredient.v3", parent),
        assertion("cawg.identity", IDENTITY),
        assertion("c2pa.soft-binding", {"alg": "com.adobe.trustmark.P"}),
    )
    return _superbox(b"c2pa", first, _superbox(b"urn:second", second, claim("Editor")))


def store_with_claim() -> bytes:
    """A minimal manifest store with one action."""
    actions = _superbox(b"c2pa.actions", _box(b"cbor", C2PA_ACTIONS))
    ingredient = _superbox(
        b"c2pa.ingredient", _box(b"json", b'{"relationship": "parentOf", "dc:title": "a"}')
    )
    claim = _superbox(b"c2pa.claim", _box(b"cbor", b"\xa1\x6fclaim_generator\x64tool"))
    manifest = _superbox(b"urn:1", _superbox(b"c2pa.assertions", actions, ingredient), claim)
    return _superbox(b"c2pa", manifest)
