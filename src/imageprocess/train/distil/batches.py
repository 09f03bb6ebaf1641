"""The batches that a student is trained on: augmented views of degraded copies, with their targets.

Labelled copies are drawn with equal weight of the classes, unlabelled ones more often where the teacher is uncertain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.sampling import class_balanced_weights
from ..encoder.features import FeatureSet
from .augment import jitter, random_window
from .targets import DistilTargets

_STATISTICS_SAMPLE = 2000  # copies that the mean and deviation of the teacher's features are computed from
# Of an unlabelled copy whose teacher probability is 0 or 1, relative to one of 0.5. Not tuned.
_CERTAIN_WEIGHT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    views: Tensor  # (N * V, 3, side, side) float32, normalised
    labels: Tensor  # (L,) float32: probability of AI; of the first L <= N images, the others have no label
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
        unlabelled: int = 0,  # images per batch without a label; the rest of `batch_size` has one
        unlabelled_pixels: Sequence[NDArray[np.uint8]] = (),  # as `pixels`, of `targets.unlabelled`
        mixup: float = 0.0,  # Beta(a, a) of the mixing weights; 0: no mixup
    ) -> None:
        self._seed, self._mixup = seed, mixup
        features, training = targets.features, np.flatnonzero(~targets.held_out)
        weights = class_balanced_weights(features.is_ai[training], features.source[training], source_power)
        teacher_logits = correct_by_label(targets.teacher, features.is_ai)
        labelled = _Copies(features, teacher_logits, pixels, training, torch.from_numpy(weights))
        self._parts = [(labelled, batch_size - unlabelled)]
        if unlabelled:
            assert targets.unlabelled
            other, teacher = targets.unlabelled.features, targets.unlabelled.teacher
            rows = np.arange(len(teacher))
            copies = _Copies(other, teacher, unlabelled_pixels, rows, uncertainty_weights(teacher))
            self._parts.append((copies, unlabelled))
        stride = max(1, len(training) // _STATISTICS_SAMPLE)
        sample = features.cls[training[::stride]].astype(np.float32)
        self._cls_mean, self._cls_deviation = sample.mean((0, 1)), sample.std((0, 1)) + 1e-3

    def draw(self, step: int, side: int) -> Batch:
        """The batch of `step`, of windows of `side` x `side` pixels."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        drawn = [(copies, copies.draw(count, generator)) for copies, count in self._parts]
        rng = np.random.default_rng((self._seed, step))
        views = np.concatenate(
            [
                [random_window(view, side, rng) for view in copies.views(row)]
                for copies, rows in drawn
                for row in rows
            ]
        )
        cls = np.concatenate([copies.features.cls[rows] for copies, rows in drawn]).astype(np.float32)
        labelled, labelled_rows = drawn[0]
        batch = Batch(
            views=jitter(torch.from_numpy(views), generator),
            labels=torch.from_numpy(labelled.features.is_ai[labelled_rows].astype(np.float32)),
            teacher=torch.from_numpy(np.concatenate([copies.teacher[rows] for copies, rows in drawn])),
            teacher_cls=torch.from_numpy((cls - self._cls_mean) / self._cls_deviation),
        )
        if not self._mixup:
            return batch
        weights = rng.beta(self._mixup, self._mixup, len(batch.teacher)).astype(np.float32)
        return mix(batch, torch.from_numpy(weights))


class _Copies:
    """Copies of which `rows` are drawn, with probabilities proportional to `weights`."""

    def __init__(
        self,
        features: FeatureSet,
        teacher: NDArray[np.float32],  # (N,)
        pixels: Sequence[NDArray[np.uint8]],
        rows: NDArray[np.intp],  # (R,) indices of copies
        weights: Tensor,  # (R,) float64
    ) -> None:
        self.features, self.teacher = features, teacher
        self._pixels, self._rows, self._weights = pixels, rows, weights
        self._starts = np.cumsum([0, *(len(part) for part in pixels)])

    def draw(self, count: int, generator: torch.Generator) -> NDArray[np.intp]:
        """-> (count,) indices of copies, with replacement."""
        drawn = torch.multinomial(self._weights, count, replacement=True, generator=generator)
        rows: NDArray[np.intp] = self._rows[drawn.numpy()]
        return rows

    def views(self, row: int) -> NDArray[np.uint8]:
        """-> (V, h, w, 3)"""
        part = int(np.searchsorted(self._starts, row, "right")) - 1
        views: NDArray[np.uint8] = self._pixels[part][row - self._starts[part]]
        return views


def mix(batch: Batch, weights: Tensor) -> Batch:
    """Mix each image and its targets with another one by `weights` (N,) (Zhang et al. 2018, arXiv 1710.09412): labelled
    images with labelled ones, the others with one another."""
    count, labelled = len(batch.teacher), len(batch.labels)
    other = torch.cat([torch.arange(labelled).flip(0), torch.arange(labelled, count).flip(0)])

    def mixed(values: Tensor) -> Tensor:
        weight = weights[: len(values)].view(-1, *[1] * (values.ndim - 1))
        return torch.lerp(values[other[: len(values)]], values, weight)

    views = mixed(batch.views.unflatten(0, (count, -1))).flatten(0, 1)  # type: ignore[no-untyped-call]
    return Batch(
        views=views.contiguous(memory_format=torch.channels_last),
        labels=mixed(batch.labels),
        teacher=mixed(batch.teacher),
        teacher_cls=mixed(batch.teacher_cls),
    )


def correct_by_label(teacher: NDArray[np.float32], is_ai: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The teacher's logits (N,), with 0 (probability 0.5) where they contradict the label: otherwise the student learns
    the teacher's errors, which are most frequent on art."""
    return np.where((teacher > 0) == is_ai, teacher, np.float32(0))


def uncertainty_weights(teacher: NDArray[np.float32]) -> Tensor:
    """teacher (N,) logit(ai) - logit(real) -> weights (N,) float64: 1 where the probability is 0.5, and down to
    _CERTAIN_WEIGHT with the variance p (1 - p) of the label."""
    probability = torch.sigmoid(torch.from_numpy(teacher.astype(np.float64)))
    return _CERTAIN_WEIGHT + (1 - _CERTAIN_WEIGHT) * 4 * probability * (1 - probability)
