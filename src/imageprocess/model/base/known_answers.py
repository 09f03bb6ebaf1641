"""Verifies a composed model by its logits on synthetic images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError

if TYPE_CHECKING:
    from ..session import Session

COUNT = 4
_SIDE = 320


def draw(seed: int) -> NDArray[np.uint8]:
    """(320, 320, 3) uint8: gradients, bars and discs, computed with integers, so that it is the same everywhere."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.int64)
    planes = []
    for channel in range(3):
        step = 3 + seed + 2 * channel
        waves = (x * step + y * (7 - step % 5)) % 256
        bars = ((x // (8 + 5 * seed)) + (y // (11 + channel))) % 2 * 90
        disc = ((x - 60 * (seed + 1)) ** 2 + (y - 160) ** 2 < (50 + 20 * channel) ** 2) * 70
        planes.append((waves // 2 + bars + disc) % 256)
    return np.stack(planes, axis=-1).astype(np.uint8)


def answers(session: Session) -> list[float]:
    """logit(ai) - logit(real) of each synthetic image."""
    outputs = session.run([session.prepare(draw(seed)) for seed in range(COUNT)])
    return [round(output.logits[0] - output.logits[1], 4) for output in outputs]


def check_answers(session: Session, expected: Sequence[float], tolerance: float) -> None:
    """Raises ModelError if the composed model's logits differ from those of the measured model."""
    logits = answers(session)
    worst = max(abs(a - b) for a, b in zip(logits, expected, strict=True))
    if worst > tolerance:
        raise ModelError(
            f"the composed model's logits on synthetic images are {logits}, expected {list(expected)} "
            f"(off by {worst:.3f}, allowed {tolerance}); the encoder is not the one the head was trained on"
        )
