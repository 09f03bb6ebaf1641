"""The batches that a student is trained on: augmented views of degraded copies, with their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.sampling import class_balanced_weights
from .network import INPUT
from .targets import DistilTargets

_STATISTICS_SAMPLE = 2000  # copies that the mean and deviation of the teacher's features are computed from
_ERASE_SHARE, _ERASE_SCALE = (
    0.33,
    (0.15, 0.45),
)  # random erasing: share of windows; height and width of the side


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    views: Tensor  # (N * V, 3, side, side) float32, normalised
    labels: Tensor  # (N,) float32: 1 for AI
    teacher: Tensor  # (N,) float32: the teacher's logit(ai) - logit(real)
    teacher_cls: Tensor  # (N, V, D) float32: the teacher's standardised features


class DistilBatches:
    """Each batch depends on the seed and the step alone, so that a resumed run gets the batches it would have got."""

    def __init__(
        self,
        targets: DistilTargets,
        pixels: Sequence[NDArray[np.uint8]],  # of each source (n, V, h, w, 3), in the order of the targets
        *,
        batch_size: int,
        source_power: float,
        seed: int,
    ) -> None:
        self._targets, self._pixels = targets, pixels
        self._batch_size, self._seed = batch_size, seed
        self._starts = np.cumsum([0, *(len(part) for part in pixels)])
        self._training = np.flatnonzero(~targets.held_out)
        features, training = targets.features, self._training
        self._weights = torch.from_numpy(
            class_balanced_weights(features.is_ai[training], features.source[training], source_power)
        )
        stride = max(1, len(training) // _STATISTICS_SAMPLE)
        sample = features.cls[training[::stride]].astype(np.float32)
        self._cls_mean, self._cls_deviation = sample.mean((0, 1)), sample.std((0, 1)) + 1e-3

    def draw(self, step: int, side: int) -> Batch:
        """The batch of `step`, of windows of `side` x `side` pixels."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        drawn = torch.multinomial(self._weights, self._batch_size, replacement=True, generator=generator)
        rows = self._training[drawn.numpy()]
        rng = np.random.default_rng((self._seed, step))
        views = np.concatenate([[_window(view, side, rng) for view in self._views(row)] for row in rows])
        features = self._targets.features
        cls = (features.cls[rows].astype(np.float32) - self._cls_mean) / self._cls_deviation
        return Batch(
            views=_jitter(torch.from_numpy(views), generator),
            labels=torch.from_numpy(features.is_ai[rows].astype(np.float32)),
            teacher=torch.from_numpy(self._targets.teacher[rows]),
            teacher_cls=torch.from_numpy(cls),
        )

    def _views(self, row: int) -> NDArray[np.uint8]:
        part = int(np.searchsorted(self._starts, row, "right")) - 1
        views: NDArray[np.uint8] = self._pixels[part][row - self._starts[part]]
        return views


def _window(view: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random window (side, side, 3), mirrored with probability 0.5, with random erasing (Zhong et al. 2020)."""
    top, left = (int(rng.integers(0, length - side + 1)) for length in view.shape[:2])
    window = view[top : top + side, left : left + side]
    window = np.array(window[:, ::-1] if rng.random() < 0.5 else window)
    if rng.random() < _ERASE_SHARE:
        height, width = (int(side * rng.uniform(*_ERASE_SCALE)) for _ in range(2))
        top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
        window[top : top + height, left : left + width] = 127
    return window


def _jitter(views: Tensor, generator: torch.Generator) -> Tensor:
    """(N, side, side, 3) uint8 -> (N, 3, side, side) float32, normalised, with random brightness and contrast."""
    pixels = views.permute(0, 3, 1, 2).float()  # still NHWC in memory, which the convolutions run fastest on
    pixels = (pixels / 255 - INPUT.mean[0]) / INPUT.std[0]
    contrast = 1 + 0.3 * (torch.rand(len(views), 1, 1, 1, generator=generator) - 0.5)
    brightness = 0.3 * (torch.rand(len(views), 1, 1, 1, generator=generator) - 0.5)
    return pixels.mul_(contrast).add_(brightness)
