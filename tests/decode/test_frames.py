"""Frame counts from the container structure: no decoding, bounded time."""

from __future__ import annotations

import struct
import time

import pytest
from PIL import Image

from imageprocess.decode import Limits, decode
from imageprocess.decode.frames import count_gif_frames, count_tiff_frames
from testkit.pictures import blank, encode


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("form", ["GIF", "TIFF"])
def test_frame_count_matches_pillow(form: str, count: int) -> None:
    frames = [blank(30 * i) for i in range(count)]
    data = encode(frames[0], form, save_all=True, append_images=frames[1:])
    counter = count_gif_frames if form == "GIF" else count_tiff_frames
    assert counter(data, 100) == count
    assert counter(data, 5) == min(count, 5)


def test_big_tiff_frames() -> None:
    data = encode(blank(9), "TIFF", save_all=True, append_images=[blank(8)], big_tiff=True)
    assert data[2:4] == b"+\0"
    assert count_tiff_frames(data, 100) == 2


def test_big_endian_tiff_frames() -> None:
    second = struct.pack(">HI", 0, 0)
    assert count_tiff_frames(b"MM\0*" + struct.pack(">I", 8) + struct.pack(">HI", 0, 14) + second, 100) == 2


def test_truncated_animation_keeps_first_frame() -> None:
    frames = [blank(200), *(Image.effect_noise((64, 48), 90) for _ in range(3))]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    decoded = decode(data[: len(data) // 2])
    assert decoded.pixels.min() > 190
    assert 1 <= decoded.facts.frames < 4


def test_cyclic_tiff_pages_terminate() -> None:
    circle = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HI", 0, 8)
    assert count_tiff_frames(circle, 1000) == 1000


def test_counting_does_not_decode_frames() -> None:
    frames = [Image.new("P", (3000, 3000), i % 3) for i in range(30)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    began = time.process_time()
    assert count_gif_frames(data, 1000) == 30
    assert time.process_time() - began < 0.5  # decoding them takes seconds


def test_gif_of_tiny_sub_blocks_is_fast() -> None:
    head = encode(blank(1), "GIF")[:13]
    flags = head[10]
    palette = bytes(3 << (flags & 7) + 1) if flags & 0x80 else b""
    frame = b"," + bytes(8) + b"\0\x02"
    data = head + palette + frame + b"\1\0" * 20_000_000
    began = time.process_time()
    assert count_gif_frames(data, 10_000) >= 1
    assert time.process_time() - began < 5


def test_frame_limit_is_an_argument() -> None:
    data = encode(blank(9), "GIF", save_all=True, append_images=[blank(8), blank(7)])
    assert decode(data, limits=Limits(max_frames=2)).facts.frames == 2
