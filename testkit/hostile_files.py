"""Hostile image files: truncated, with flipped bits, and decompression bombs."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from testkit.pictures import encode, scene
from testkit.records import jpeg, png, png_chunk

CUT_EVERY = 64  # bytes
_MEGABYTE = bytes(1_000_000)


def seeds() -> dict[str, bytes]:
    """A valid file of a few kilobytes in each format that can be written here."""
    picture = scene(3, 96, 64)
    animated = {"save_all": True, "append_images": [scene(4, 96, 64)]}
    return {
        "jpeg": encode(picture, "JPEG"),
        "jpeg-progressive": encode(picture, "JPEG", progressive=True),
        "png": encode(picture, "PNG"),
        "webp": encode(picture, "WEBP"),
        "webp-lossless": encode(picture, "WEBP", lossless=True),
        "avif": encode(picture, "AVIF", speed=10),
        "gif": encode(picture, "GIF", **animated),
        "bmp": encode(picture, "BMP"),
        "tiff": encode(picture, "TIFF"),
        "tiff-lzw": encode(picture, "TIFF", compression="tiff_lzw"),
    }


def truncated() -> Iterator[tuple[str, bytes]]:
    for name, data in seeds().items():
        for length in range(0, len(data), CUT_EVERY):
            yield f"{name} cut at {length}", data[:length]


def flipped(each: int) -> Iterator[tuple[str, bytes]]:
    """`each` variants of every format with one to eight flipped bits, deterministic."""
    chance = random.Random(0)
    for name, data in seeds().items():
        for number in range(each):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 8)):
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            yield f"{name} flipped {number}", bytes(damaged)


def bombs(megabytes: int = 200) -> Iterator[tuple[str, bytes]]:
    """`megabytes`: decompressed size of each text or profile."""
    yield "PNG of 65,000 x 65,000", _huge_png(65_000, rows=65_000 * megabytes // 200)
    yield "PNG of 7,000 x 7,000, allowed", _huge_png(7_000, rows=7_000)
    yield "PNG that says 2^31 - 1", _chunks(_header(2**31 - 1, 2**31 - 1), (b"IDAT", zlib.compress(b"\0")))
    yield "GIF of 30,000 frames", _gif(30_000)
    yield "JPEG that says 65,535 x 65,535", _resized_jpeg(65_535)
    yield "JPEG of 3,000 scans", _scans(3_000)
    yield (
        "JPEG with an ICC profile in 255 parts",
        jpeg(
            [(0xE2, b"ICC_PROFILE\0" + bytes([n, 255]) + _MEGABYTE[:65_000]) for n in range(1, 256)],
            scene(1, 32, 32),
        ),
    )
    deep = _deflated(megabytes)
    yield "PNG whose ICC profile is a deflate bomb", png([(b"iCCP", b"p\0\0" + deep)], scene(1, 32, 32))
    for _ in range(3):
        deep = zlib.compress(deep, 9)
    yield "PNG whose ICC profile is a bomb four deep", png([(b"iCCP", b"p\0\0" + deep)], scene(1, 32, 32))
    yield (
        "PNG with compressed text of 200 MB",
        png([(b"zTXt", b"parameters\0\0" + _deflated(megabytes))], scene(1, 32, 32)),
    )
    many = [(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _deflated(20))] * 50
    yield "PNG with 50 compressed texts of 20 MB", png(many, scene(1, 32, 32))
    xml = b"<!DOCTYPE x [" + b"".join(
        b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"ha") for n in range(12)
    )
    laughs = xml + b"]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&e11;</x:xmpmeta>"
    yield (
        "PNG with a billion laughs in XMP",
        png([(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + laughs)], scene(1, 32, 32)),
    )
    yield "TIFF whose directories go round", _round_tiff()
    yield "WebP of 16,383 x 16,383", _huge_webp()


def collected(folder: Path, every: int = 1) -> Iterator[tuple[str, bytes]]:
    """Files of a published collection (../shared/hostile), if it is present."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file())[::every]:
        yield path.name, path.read_bytes()


def _header(width: int, height: int) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)


def _chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in (*chunks, (b"IEND", b"")))


def _huge_png(side: int, rows: int) -> bytes:
    """A PNG of side x side whose data holds only `rows` rows."""
    packer, row = zlib.compressobj(1), bytes(1 + (side + 7) // 8)
    packed = b"".join(packer.compress(row * 100) for _ in range(rows // 100)) + packer.flush()
    return _chunks(_header(side, side), (b"IDAT", packed))


def _deflated(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(_MEGABYTE) for _ in range(megabytes)) + packer.flush()


def _gif(frames: int) -> bytes:
    still = encode(Image.new("P", (16, 16)), "GIF")
    start = still.index(b"\x2c")
    return still[:start] + still[start:-1] * frames + b";"


def _resized_jpeg(side: int) -> bytes:
    data = bytearray(seeds()["jpeg"])
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    return bytes(data)


def _scans(count: int) -> bytes:
    """A progressive JPEG that repeats its last refinement scan: each scan visits every coefficient."""
    data = encode(Image.new("L", (3000, 3000)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def _round_tiff() -> bytes:
    entries = struct.pack("<HHHII", 1, 256, 3, 1, 8)
    return b"II*\0" + struct.pack("<I", 8) + entries + struct.pack("<I", 8)


def _huge_webp() -> bytes:
    header = b"\x2f" + struct.pack("<I", (16_383 - 1) | (16_383 - 1) << 14)
    return b"RIFF" + struct.pack("<I", 4 + 8 + 6) + b"WEBPVP8L" + struct.pack("<I", 5) + header + b"\0"
