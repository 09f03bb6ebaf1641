"""The payloads that known generators write with invisible-watermark's `dwtDct` method: fixed, public, without a key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    generator: str
    bits: NDArray[np.uint8]  # (n,) of 0 and 1
    max_wrong: int  # maximum number of differing bits for a match


def _text(text: str) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(text.encode(), dtype=np.uint8))


def _number(value: int, bits: int) -> NDArray[np.uint8]:
    return np.array([value >> (bits - 1 - i) & 1 for i in range(bits)], dtype=np.uint8)


_SDXL = 0xB3EC907BB19E
_FLUX = 0x2AFE879CF52E

# At most 4 wrong bits of 48, and the same share of other lengths, rounded down; 1 of 32, where chance matches are
# likelier.
PAYLOADS = (
    Payload("Stable Diffusion 1", _text("StableDiffusionV1"), 11),
    Payload("Stable Diffusion 2", _text("SDV2"), 1),
    Payload("Stable Diffusion XL", _number(_SDXL, 48), 4),
    Payload("Flux", _number(_FLUX, 48), 4),
    # Flux's code converts the number to text, which drops its two leading zeros.
    Payload("Flux", _number(_FLUX, 46), 3),
)
