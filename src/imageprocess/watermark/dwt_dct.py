"""The `dwtDct` mark: pixels -> bits -> the payload they spell.

As written by invisible-watermark 0.2 (despite the name no DCT is involved): the picture's U channel, one level of the
Haar transform, its LL band in blocks of 4x4, in reading order one bit a block, the payload over and over. A bit is
kept in the block's largest coefficient but the first: its remainder by 36 lies near 9 for a 0 and near 27 for a 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .payloads import PAYLOADS, Payload

_STEP = 36
_MIN_PIXELS = 256 * 256  # the writer leaves smaller pictures alone
_MAX_BLOCKS = 65_536  # votes enough (4 megapixels); more would only cost time


@dataclass(frozen=True, slots=True)
class Hit:
    payload: Payload
    wrong: int  # bits off
    blocks: int  # that voted


def find_mark(pixels: NDArray[np.uint8]) -> Hit | None:
    """The payload that `pixels` (H, W, 3) uint8 carries, or None."""
    if pixels.shape[0] * pixels.shape[1] < _MIN_PIXELS:
        return None
    for votes in _readings(pixels):
        for payload in PAYLOADS:
            wrong = int(np.count_nonzero(_bits(votes, len(payload.bits)) != payload.bits))
            if wrong <= payload.max_wrong:
                return Hit(payload, wrong, len(votes))
    return None


def _readings(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
    """Each block's vote, in each of the ways that writers went about the U channel."""
    height, width = pixels.shape[0] // 4 * 4, pixels.shape[1] // 4 * 4
    rows = _MAX_BLOCKS // max(1, width // 8) * 8
    picture = pixels[: min(height, max(8, rows)), :width]
    yield _votes(_haar_ll(_rounded_u(picture)))  # Stable Diffusion 1 and 2: 8-bit pictures
    pairs = picture[0::2].astype(np.uint16) + picture[1::2]
    band = (pairs[:, 0::2] + pairs[:, 1::2]) * np.float32(0.5)  # each channel's LL, (h, w, 3)
    red, green, blue = (band[..., channel] for channel in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    # Stable Diffusion XL, Flux: floating point, where U's middle is 0.5.
    yield _votes(0.492 * (blue - luma) + 1)
    luma = 0.299 * blue + 0.587 * green + 0.114 * red
    yield _votes(0.492 * (red - luma) + 1)  # diffusers before 0.27: the same with red and blue swapped


def _rounded_u(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """U as 8 bits, (H, W) float32: OpenCV's fixed-point conversion, whose numbers float32 holds exactly."""
    red, green, blue = (pixels[..., channel].astype(np.float32) for channel in range(3))
    luma = np.floor((4899 * red + 9617 * green + 1868 * blue + 8192) * np.float32(2**-14))
    chroma: NDArray[np.float32] = np.floor(((blue - luma) * 8061 + ((128 << 14) + 8192)) * np.float32(2**-14))
    return np.clip(chroma, 0, 255, out=chroma)


def _haar_ll(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) -> (H / 2, W / 2): half the sum of each 2x2."""
    rows = plane[0::2] + plane[1::2]
    band: NDArray[np.float32] = (rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.5)
    return band


def _votes(band: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(h, w) -> one vote a 4x4 block, in reading order.

    The writer moved the largest coefficient, often to below its neighbours, so the largest is not always the marked
    one. The one that stands out most from the block's mean nearly always is (bench/provenance.py compares the two).
    """
    high, wide = band.shape[0] // 4, band.shape[1] // 4
    blocks = band[: high * 4, : wide * 4].reshape(high, 4, wide, 4).swapaxes(1, 2).reshape(-1, 16)[:, 1:]
    outlier = np.abs(blocks - blocks.mean(axis=1, keepdims=True)).argmax(axis=1)
    sizes: NDArray[np.float32] = np.abs(blocks[np.arange(len(blocks)), outlier])
    return sizes % _STEP > _STEP / 2


def _bits(votes: NDArray[np.bool_], count: int) -> NDArray[np.uint8]:
    """Each bit by the majority of its blocks."""
    bit_of_block = np.arange(len(votes)) % count
    ones = np.bincount(bit_of_block, weights=votes, minlength=count)
    total = np.bincount(bit_of_block, minlength=count)
    return (2 * ones > total).astype(np.uint8)
