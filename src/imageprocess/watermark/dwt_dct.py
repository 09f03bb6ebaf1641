"""Detects the `dwtDct` watermark of invisible-watermark 0.2.

Despite its name, no DCT is involved: the U channel of the image, one level of the Haar transform, its LL band in blocks
of 4x4, one bit per block in reading order, the payload repeated. A bit is encoded in the largest coefficient of the
block except the first: its remainder modulo 36 is near 9 for 0 and near 27 for 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .payloads import PAYLOADS, Payload

_STEP = 36
_MIN_PIXELS = 256 * 256  # the writer does not mark smaller images
_MAX_BLOCKS = 65_536  # sufficient for the vote (4 megapixels); more would only take time
_STRIP_ROWS = 128  # rows processed together: a few planes of this height fit into the cache of a core


@dataclass(frozen=True, slots=True)
class Hit:
    payload: Payload
    wrong: int  # number of bits that differ from the payload
    blocks: int  # number of blocks that voted


def find_mark(pixels: NDArray[np.uint8]) -> Hit | None:
    """The payload in `pixels` (H, W, 3) uint8, or None."""
    if pixels.shape[0] * pixels.shape[1] < _MIN_PIXELS:
        return None
    for votes in _readings(pixels):
        for payload in PAYLOADS:
            wrong = int(np.count_nonzero(_bits(votes, len(payload.bits)) != payload.bits))
            if wrong <= payload.max_wrong:
                return Hit(payload, wrong, len(votes))
    return None


def _readings(pixels: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    """The vote of each block (blocks,), for each way in which writers compute the U channel."""
    height, width = pixels.shape[0] // 8 * 8, pixels.shape[1] // 4 * 4
    rows = min(height, max(8, _MAX_BLOCKS // max(1, width // 8) * 8))
    strips = [
        [_votes(band) for band in _bands(pixels[top : min(rows, top + _STRIP_ROWS), :width])]
        for top in range(0, rows, _STRIP_ROWS)
    ]
    return [np.concatenate(votes) for votes in zip(*strips, strict=True)]


def _bands(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    """The LL band of U (H / 2, W / 2) float32, for each way of computing U."""
    red, green, blue = (pixels[..., channel].astype(np.float32) for channel in range(3))
    yield _haar_ll(_rounded_u(red, green, blue))  # Stable Diffusion 1 and 2: 8-bit images
    red, green, blue = (_haar_ll(plane) for plane in (red, green, blue))
    luma = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    # Stable Diffusion XL, Flux: floating point, where U is centred at 0.5.
    yield np.float32(0.492) * (blue - luma) + np.float32(1)
    luma = np.float32(0.299) * blue + np.float32(0.587) * green + np.float32(0.114) * red
    yield np.float32(0.492) * (red - luma) + np.float32(1)  # diffusers before 0.27: red and blue swapped


def _rounded_u(
    red: NDArray[np.float32], green: NDArray[np.float32], blue: NDArray[np.float32]
) -> NDArray[np.float32]:
    """U rounded to 8 bits, (H, W) float32: OpenCV's fixed-point conversion, whose values are exact in float32."""
    luma = np.floor((red * 4899 + green * 9617 + blue * 1868 + 8192) * np.float32(2**-14))
    chroma: NDArray[np.float32] = (blue - luma) * 8061
    chroma += (128 << 14) + 8192
    chroma *= np.float32(2**-14)
    np.floor(chroma, out=chroma)
    return np.clip(chroma, 0, 255, out=chroma)


def _haar_ll(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) -> (H / 2, W / 2): half the sum of each 2x2."""
    rows = plane[0::2] + plane[1::2]
    band: NDArray[np.float32] = (rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.5)
    return band


def _votes(band: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(h, w) -> one vote per 4x4 block, in reading order.

    The writer changes the largest coefficient, often to less than others, so the largest is not always the marked one.
    The one with the largest distance from the mean of the block nearly always is (bench/provenance.py compares both).
    """
    high, wide = band.shape[0] // 4, band.shape[1] // 4
    blocks = band[: high * 4, : wide * 4].reshape(high, 4, wide, 4)
    # One row per position in the block except the first: (15, blocks), so that each step below uses a few long vectors.
    coefficients = blocks.transpose(1, 3, 0, 2).reshape(16, -1)[1:]
    mean = coefficients.mean(axis=0)
    outlier, max_distance = coefficients[0].copy(), np.abs(coefficients[0] - mean)
    for row in coefficients[1:]:
        distance = np.abs(row - mean)
        np.copyto(outlier, row, where=distance > max_distance)
        np.maximum(max_distance, distance, out=max_distance)
    votes: NDArray[np.bool_] = np.fmod(np.abs(outlier), np.float32(_STEP)) > _STEP / 2
    return votes


def _bits(votes: NDArray[np.bool_], count: int) -> NDArray[np.uint8]:
    """(blocks,) -> (count,) bits, each by majority of its blocks."""
    bit_of_block = np.arange(len(votes)) % count
    ones = np.bincount(bit_of_block, weights=votes, minlength=count)
    total = np.bincount(bit_of_block, minlength=count)
    return (2 * ones > total).astype(np.uint8)
