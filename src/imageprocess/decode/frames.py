"""Counts the frames of a container by its structure only.

Pillow counts frames of a GIF by decoding them, and of a TIFF by reading the tags of every page: a few kilobytes can
take it hours, and a damaged last frame would make an intact first one fail."""

from __future__ import annotations

import struct

_MAX_SUB_BLOCKS = 1_000_000  # takes about 0.1 s; with the usual 255 bytes each, a GIF of 250 MB


def count_gif_frames(data: bytes, max_frames: int) -> int:
    """Number of image descriptors in the block structure (GIF89a, appendix B) up to any damage; at least 1."""
    budget = [_MAX_SUB_BLOCKS]
    frames = 0
    try:
        at = 13 + _gif_palette_bytes(data[10])
        while frames < max_frames:
            if data[at] == 0x2C:  # image descriptor, local palette, LZW code size, sub-blocks
                at = _skip_sub_blocks(data, at + 11 + _gif_palette_bytes(data[at + 9]), budget)
                frames += 1
            elif data[at] == 0x21:  # extension: its label, sub-blocks
                at = _skip_sub_blocks(data, at + 2, budget)
            else:  # 0x3B, the trailer, or damage
                break
    except IndexError:  # cut off
        pass
    return max(1, frames)


def _gif_palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_sub_blocks(data: bytes, at: int, budget: list[int]) -> int:
    """The offset after a chain of sub-blocks. Raises IndexError if it is cut off or exceeds `budget`."""
    while data[at]:
        at += 1 + data[at]
        budget[0] -= 1
        if budget[0] < 0:
            raise IndexError("too many sub-blocks")
    return at + 1


def count_tiff_frames(data: bytes, max_frames: int) -> int:
    """Number of directories in the chain (TIFF 6.0, section 2; BigTIFF has 8-byte offsets) up to any damage; at least
    1."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    offset, count, entry_bytes = (order + "Q", order + "Q", 20) if big else (order + "I", order + "H", 12)
    frames = 0
    try:
        (at,) = struct.unpack_from(offset, data, 8 if big else 4)
        while at and frames < max_frames:
            (entries,) = struct.unpack_from(count, data, at)
            (at,) = struct.unpack_from(offset, data, at + struct.calcsize(count) + entries * entry_bytes)
            frames += 1
    except (struct.error, OverflowError):  # cut off
        pass
    return max(1, frames)
