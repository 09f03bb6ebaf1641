"""Teach the student: labels, the teacher's out-of-fold logits and its features, from views that are kept on disk.

Both views of a picture are in a batch, so that the network's two readings, of each view alone and of both side by
side, learn at once. Small windows first, whole views last: most of the pictures at half of the cost.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...files import replacing
from ..averaging import Averaged
from ..encoder.head import sampling_weights
from .network import INPUT, WIDTH, Student
from .targets import Lessons

Progress = Callable[[int, int], None]
_KEEP_EVERY = 100  # steps
_WARM_UP = 0.12  # of the run


@dataclass(frozen=True, slots=True)
class DistilOptions:
    steps: int = 4000  # at most
    minutes: float = 0.0  # at most, where that is above 0: the schedule follows whichever ends first
    pictures: int = 32  # a step
    learning_rate: float = 1e-3  # the peak of one cycle
    weight_decay: float = 0.02
    frozen: int = 2  # blocks of the backbone that stay as they started
    hidden: int = 64
    dropout: float = 0.3
    averaging: float = 0.99
    label_smoothing: float = 0.04
    temperature: float = 2.0  # of the teacher's logits
    teacher_share: float = 0.5  # of the loss on logits; the rest are labels
    feature_weight: float = 1.0
    source_power: float = 0.5
    sides: tuple[tuple[float, int], ...] = (
        (0.6, 128),
        (0.85, 160),
        (1.0, 192),
    )  # up to this share of the run
    seed: int = 0


class _Pupil(nn.Module):
    """The student, and the projection of its features onto the teacher's, which training alone needs."""

    def __init__(self, student: Student, teacher_width: int) -> None:
        super().__init__()
        self.student = student
        self.projection = nn.Linear(WIDTH, teacher_width)


def train_student(
    lessons: Lessons,
    pixels: Sequence[NDArray[np.uint8]],
    start: dict[str, Tensor],
    options: DistilOptions,
    checkpoint: Path,
    progress: Progress = lambda done, of: None,
) -> Student:
    """The mean of the student's weights over its steps. Goes on from `checkpoint` where that is there."""
    torch.manual_seed(options.seed)
    student = Student(options.hidden, options.dropout, options.frozen)
    student.backbone.load_state_dict(start)
    features = lessons.features
    pupil = _Pupil(student, features.cls.shape[2]).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    mean = Averaged(student, options.averaging)
    optimiser = _optimiser(pupil, options)
    state = {"pupil": pupil, "mean": mean, "optimiser": optimiser}
    step, spent = _resume(checkpoint, state, options)
    batches = _Batches(lessons, pixels, options)
    began = time.monotonic() - spent
    while (share := _share(step, time.monotonic() - began, options)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * _rate(share)
        side = next(side for until, side in options.sides if share < until)
        views, labels, teacher, cls = batches.take(step, side)
        loss = _loss(pupil, views, labels, teacher, cls, options)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(pupil.parameters(), 5.0)
        optimiser.step()
        mean.update(student)
        step += 1
        if step % _KEEP_EVERY == 0:
            _keep(checkpoint, state, step, time.monotonic() - began, options)
        progress(round(share * 1000), 1000)
    _keep(checkpoint, state, step, time.monotonic() - began, options)
    progress(1000, 1000)
    trained = mean.module.eval()
    assert isinstance(trained, Student)
    return trained


def _share(step: int, seconds: float, options: DistilOptions) -> float:
    """How much of the run is over."""
    of_time = seconds / 60 / options.minutes if options.minutes else 0.0
    return max(step / options.steps, of_time)


def _rate(share: float) -> float:
    """One cycle: up in a straight line, down along a cosine."""
    if share < _WARM_UP:
        return 0.05 + 0.95 * share / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP)))


class _Batches:
    """What a step learns from, drawn by its number: a run that goes on meets what it would have met."""

    def __init__(self, lessons: Lessons, pixels: Sequence[NDArray[np.uint8]], options: DistilOptions) -> None:
        data = lessons.features
        self.lessons, self.pixels, self.options = lessons, pixels, options
        self.first = np.cumsum([0, *(len(part) for part in pixels)])
        self.chosen = np.flatnonzero(~lessons.held)
        self.weights = torch.from_numpy(
            sampling_weights(data.is_ai[self.chosen], data.source[self.chosen], options.source_power)
        )
        some = data.cls[self.chosen[:: max(1, len(self.chosen) // 2000)]].astype(np.float32)
        self.cls_mean, self.cls_deviation = some.mean((0, 1)), some.std((0, 1)) + 1e-3

    def take(self, step: int, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Views (N * V, 3, side, side) float32, labels (N,), the teacher's logits (N,) and features (N, V, D)."""
        generator = torch.Generator().manual_seed(self.options.seed * 1_000_003 + step)
        drawn = torch.multinomial(self.weights, self.options.pictures, replacement=True, generator=generator)
        rows = self.chosen[drawn.numpy()]
        rng = np.random.default_rng((self.options.seed, step))
        views = np.concatenate([[_window(view, side, rng) for view in self._views(row)] for row in rows])
        batch = _varied(torch.from_numpy(views), generator)
        data = self.lessons.features
        cls = (data.cls[rows].astype(np.float32) - self.cls_mean) / self.cls_deviation
        labels = torch.from_numpy(data.is_ai[rows].astype(np.float32))
        return batch, labels, torch.from_numpy(self.lessons.teacher[rows]), torch.from_numpy(cls)

    def _views(self, row: int) -> NDArray[np.uint8]:
        part = int(np.searchsorted(self.first, row, "right")) - 1
        views: NDArray[np.uint8] = self.pixels[part][row - self.first[part]]
        return views


def _window(view: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random window, mirrored every other time, some of it cut out every third time."""
    top, left = (int(rng.integers(0, length - side + 1)) for length in view.shape[:2])
    window = view[top : top + side, left : left + side]
    window = np.array(window[:, ::-1] if rng.random() < 0.5 else window)
    if rng.random() < 0.33:
        height, width = (int(side * rng.uniform(0.15, 0.45)) for _ in range(2))
        top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
        window[top : top + height, left : left + width] = 127
    return window


def _varied(views: Tensor, generator: torch.Generator) -> Tensor:
    """(N, side, side, 3) uint8 -> (N, 3, side, side) float32, normalised, of random brightness and contrast."""
    pixels = views.permute(0, 3, 1, 2).float()  # NHWC in memory still: what the convolutions want
    pixels = (pixels / 255 - INPUT.mean[0]) / INPUT.std[0]
    contrast = 1 + 0.3 * (torch.rand(len(views), 1, 1, 1, generator=generator) - 0.5)
    brightness = 0.3 * (torch.rand(len(views), 1, 1, 1, generator=generator) - 0.5)
    return pixels.mul_(contrast).add_(brightness)


def _loss(
    pupil: _Pupil, views: Tensor, labels: Tensor, teacher: Tensor, cls: Tensor, options: DistilOptions
) -> Tensor:
    student = pupil.student
    pooled = student.backbone(views).mean((2, 3)).unflatten(0, cls.shape[:2])  # (N, V, 1280)
    beside, alone = student.read(pooled)
    logits = torch.cat([beside, alone], dim=1)  # (N, 2 * V - 1)
    smooth = labels * (1 - options.label_smoothing) + options.label_smoothing / 2
    entropy = nn.functional.binary_cross_entropy_with_logits
    on_labels = entropy(logits, smooth[:, None].expand_as(logits))
    soft = torch.sigmoid(teacher / options.temperature)[:, None].expand_as(logits)
    on_teacher = entropy(logits / options.temperature, soft) * options.temperature
    angle = 1 - nn.functional.cosine_similarity(pupil.projection(pooled), cls, dim=2).mean()
    share = options.teacher_share
    total: Tensor = (1 - share) * on_labels + share * on_teacher + options.feature_weight * angle
    return total


def _optimiser(pupil: _Pupil, options: DistilOptions) -> torch.optim.Optimizer:
    learnt = [value for value in pupil.parameters() if value.requires_grad]
    groups = [
        {"params": [value for value in learnt if value.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [value for value in learnt if value.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate)


def _keep(path: Path, state: dict[str, Any], step: int, seconds: float, options: DistilOptions) -> None:
    parts = {name: part.state_dict() for name, part in state.items()}
    with replacing(path) as stream:
        torch.save({**parts, "step": step, "seconds": seconds, "options": repr(options)}, stream)


def _resume(path: Path, state: dict[str, Any], options: DistilOptions) -> tuple[int, float]:
    """Steps done, and seconds spent on them. A checkpoint of other options is not gone on from."""
    if not path.exists():
        return 0, 0.0
    kept = torch.load(path, weights_only=True)
    if kept["options"] != repr(options):
        return 0, 0.0
    for name, part in state.items():
        part.load_state_dict(kept[name])
    return int(kept["step"]), float(kept["seconds"])
