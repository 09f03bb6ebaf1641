"""Finds near-duplicate images by comparing perceptual hashes of all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import MissingExtraError

# Two complementary 64-bit hashes: pHash of the low DCT frequencies, dHash of the signs of gradients. A pair is
# near only if both agree, because flat graphics and aligned portraits collide in one of them.
# Chosen by inspecting the pairs that each bound adds (contact sheets of the training sources).
DUPLICATE_BITS = 4  # maximum differing bits of each hash: the same image, re-encoded or resized
RELATED_BITS = 10  # a variant (another crop, the next frame): stays in the set, in the same split
_BLOCK = 512

Hashes = tuple[int, int]  # pHash, dHash


def require_imagehash() -> None:
    """Raises MissingExtraError if imagehash is not installed, before a worker process needs it."""
    if find_spec("imagehash") is None:
        raise MissingExtraError("imagehash", "data")


def perceptual_hashes(pixels: NDArray[np.uint8]) -> Hashes:
    """(H, W, 3) uint8 -> (pHash, dHash), 64 bits each."""
    import imagehash

    # One reduction for both hashes; a box filter over whole blocks is fast on large images.
    grey = Image.fromarray(pixels).convert("L").resize((128, 128), Image.Resampling.BOX)
    return int(str(imagehash.phash(grey)), 16), int(str(imagehash.dhash(grey)), 16)


def near_pairs(hashes: Sequence[Hashes], bits: int) -> Iterator[tuple[int, int]]:
    """(i, j) with i < j whose hashes differ in at most `bits` bits, both of them. Quadratic, in numpy blocks."""
    phash = np.array([pair[0] for pair in hashes], dtype=np.uint64)
    dhash = np.array([pair[1] for pair in hashes], dtype=np.uint64)
    for start in range(0, len(hashes), _BLOCK):
        block = slice(start, start + _BLOCK)
        near = np.bitwise_count(phash[block, None] ^ phash[None, start:]) <= bits
        near &= np.bitwise_count(dhash[block, None] ^ dhash[None, start:]) <= bits
        rows, columns = np.nonzero(near)
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
            if i < j:
                yield start + i, start + j


class Groups:
    """Union-find over the numbers 0 to n - 1."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        low, high = sorted((self.find(i), self.find(j)))
        self._parent[high] = (
            low  # the smallest member represents the set, so the result does not depend on the order of joins
        )
