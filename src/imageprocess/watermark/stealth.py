"""Reads NovelAI's stealth record (also written by extensions of other generators): text in the lowest bits of the
pixels.

Column by column, top to bottom, one bit per pixel in alpha, or three (red, green, blue): a 15-byte signature, the
length of the text in bits (32 bits, big-endian), the text, gzipped if the signature ends in "comp"."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SIGNATURE_BYTES = 15
_HEAD_BYTES = _SIGNATURE_BYTES + 4
_PLACES = {
    b"stealth_pnginfo": "alpha",
    b"stealth_pngcomp": "alpha",
    b"stealth_rgbinfo": "rgb",
    b"stealth_rgbcomp": "rgb",
}
_MAX_TEXT_BYTES = 1_000_000  # after decompression; NovelAI's records are a few kB

_ReadBytes = Callable[[int, int], bytes]  # (first byte, count) -> those bytes of the hidden stream


@dataclass(frozen=True, slots=True)
class StealthRecord:
    place: str  # "alpha" or "rgb"
    text: str


def find_stealth_record(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> StealthRecord | None:
    """The record hidden in `alpha` (H, W) or `pixels` (H, W, 3), both uint8, or None."""
    if alpha is not None:
        record = _read("alpha", _stream(alpha[:, :, None]))
        if record:
            return record
    return _read("rgb", _stream(pixels))


def _stream(planes: NDArray[np.uint8]) -> _ReadBytes:
    """A reader of the lowest bits of `planes` (H, W, C), column by column. Reads only the columns that are needed."""
    height, width, channels = planes.shape

    def read(first: int, count: int) -> bytes:
        per_column = height * channels
        start, stop = 8 * first // per_column, -(-8 * (first + count) // per_column)
        columns = planes[:, start : min(stop, width)].transpose(1, 0, 2).reshape(-1)
        skip = 8 * first - start * per_column
        return np.packbits(columns[skip : skip + 8 * count] & 1).tobytes()

    return read


def _read(place: str, read: _ReadBytes) -> StealthRecord | None:
    head = read(0, _HEAD_BYTES)
    signature = head[:_SIGNATURE_BYTES]
    if _PLACES.get(signature) != place or len(head) < _HEAD_BYTES:
        return None
    size = int.from_bytes(head[_SIGNATURE_BYTES:], "big") // 8
    if size > _MAX_TEXT_BYTES:
        return None
    body = read(_HEAD_BYTES, size)
    if len(body) < size:
        return None
    if signature.endswith(b"comp"):
        try:
            body = zlib.decompressobj(wbits=31).decompress(body, _MAX_TEXT_BYTES)
        except zlib.error:
            return None
    return StealthRecord(place, body.decode("utf-8", errors="replace")) if body else None
