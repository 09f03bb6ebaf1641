"""Writers of the watermarks that imageprocess.watermark reads, for tests only."""

from __future__ import annotations

import gzip
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# "rounded": 8-bit images, as in Stable Diffusion 1 and 2; "float": Stable Diffusion XL and Flux; "swapped": float with
# red and blue exchanged, as in diffusers before 0.27.
Way = Literal["rounded", "float", "swapped"]


def embed_dwt_dct(
    pixels: NDArray[np.uint8], bits: NDArray[np.uint8], way: Way = "rounded"
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> the same with `bits` written repeatedly into its U channel."""
    channels = pixels[..., ::-1] if way == "swapped" else pixels
    red, green, blue = (channels[..., i].astype(np.float64) for i in range(3))
    middle = 128.0 if way == "rounded" else 0.5
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = 0.492 * (blue - luma) + middle, 0.877 * (red - luma) + middle
    if way == "rounded":
        luma, u, v = (np.clip(np.round(plane), 0, 255) for plane in (luma, u, v))
    u = _write_bits(u, bits)
    if way == "rounded":
        u = np.clip(np.trunc(u), 0, 255)
    blue, red = luma + (u - middle) / 0.492, luma + (v - middle) / 0.877
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    marked = np.clip(np.round(np.stack([red, green, blue], axis=-1)), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(marked[..., ::-1] if way == "swapped" else marked)


def _write_bits(plane: NDArray[np.float64], bits: NDArray[np.uint8]) -> NDArray[np.float64]:
    height, width = plane.shape[0] // 4 * 4, plane.shape[1] // 4 * 4
    part = plane[:height, :width]
    band = (part[0::2, 0::2] + part[0::2, 1::2] + part[1::2, 0::2] + part[1::2, 1::2]) / 2
    high, wide = band.shape[0] // 4, band.shape[1] // 4
    blocks = band[: high * 4, : wide * 4].reshape(high, 4, wide, 4).swapaxes(1, 2).reshape(-1, 16)
    each = np.arange(len(blocks))
    largest = np.abs(blocks[:, 1:]).argmax(axis=1) + 1
    value = blocks[each, largest]
    target = (np.abs(value) // 36 + 0.25 + 0.5 * bits[each % len(bits)]) * 36 * np.where(value < 0, -1, 1)
    change = np.zeros_like(blocks)
    change[each, largest] = target - value
    in_band = np.zeros_like(band)
    in_band[: high * 4, : wide * 4] = (
        change.reshape(high, wide, 4, 4).swapaxes(1, 2).reshape(high * 4, wide * 4)
    )
    written = plane.copy()
    written[:height, :width] += in_band.repeat(2, axis=0).repeat(2, axis=1) / 2  # the inverse Haar step
    return written


def embed_stealth(planes: NDArray[np.uint8], signature: bytes, text: bytes) -> NDArray[np.uint8]:
    """(H, W, C) uint8 -> the same with `text` in its least significant bits, column by column."""
    body = gzip.compress(text) if signature.endswith(b"comp") else text
    stream = signature + (8 * len(body)).to_bytes(4, "big") + body
    bits = np.unpackbits(np.frombuffer(stream, dtype=np.uint8))
    height, width, channels = planes.shape
    flat = planes.transpose(1, 0, 2).reshape(-1).copy()
    flat[: len(bits)] = flat[: len(bits)] & 0xFE | bits
    return np.ascontiguousarray(flat.reshape(width, height, channels).transpose(1, 0, 2))
