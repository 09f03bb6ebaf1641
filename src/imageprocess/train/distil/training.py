"""Train the student on labels, on the teacher's out-of-fold logits and on its features. Images without a label have no
loss on labels.

Every batch contains all views of an image, so the outputs for single views and for pairs of views are trained together.
Windows are small at first and whole views at the end: most images are seen at half of the cost.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...files import replacing
from ..averaging import Averaged
from .batches import Batch, DistilBatches
from .network import WIDTH, Student
from .targets import DistilTargets, pictures_id

Progress = Callable[[int, int], None]  # (thousandths of the run, 1000)
_STEPS_PER_CHECKPOINT = 100
_WARM_UP = 0.12  # share of the run
_MAX_GRADIENT_NORM = 5.0


@dataclass(frozen=True, slots=True)
class DistilOptions:
    """A checkpoint is resumed only if these have the same repr: renaming a field makes old checkpoints useless.
    `unlabelled_share` counts only if there are unlabelled images (`_checkpoint_key`)."""

    steps: int = 4000  # maximum
    minutes: float = (
        0.0  # maximum training time; the schedule follows the limit that is reached first; 0: no limit
    )
    pictures: int = 32  # images per step
    learning_rate: float = 1e-3  # peak of the one-cycle schedule
    weight_decay: float = 0.02
    frozen: int = 2  # blocks of the backbone, after the stem, that keep their initial weights
    hidden: int = 64
    dropout: float = 0.3
    averaging: float = 0.99  # decay per step of the running mean of the weights
    label_smoothing: float = 0.04
    temperature: float = 2.0  # of the teacher's logits
    teacher_share: float = 0.5  # weight of the loss on the teacher's logits; the rest is on labels
    feature_weight: float = 1.0  # weight of the cosine loss on the teacher's features
    mixup: float = 0.2  # Beta(a, a) of the mixing weights, against overfitting; 0: no mixup
    source_power: float = 0.5  # of `data.sampling.class_balanced_weights`
    sides: tuple[tuple[float, int], ...] = (
        (0.6, 128),
        (0.85, 160),
        (1.0, 192),
    )  # (share of the run, side of the windows in pixels until then)
    seed: int = 0
    unlabelled_share: float = field(default=0.25, repr=False)  # of each batch, if there are unlabelled images

    @property
    def unlabelled_pictures(self) -> int:
        """Unlabelled images per step, if there are any: at least one, and never the whole batch."""
        return min(max(1, round(self.unlabelled_share * self.pictures)), self.pictures - 1)


class StudentWithProjection(nn.Module):
    """The student, and the projection of its features onto the teacher's, which only training needs."""

    def __init__(self, student: Student, teacher_width: int) -> None:
        super().__init__()
        self.student = student
        self.projection = nn.Linear(WIDTH, teacher_width)


def train_student(
    targets: DistilTargets,
    pixels: Sequence[NDArray[np.uint8]],
    start: dict[str, Tensor],
    options: DistilOptions,
    checkpoint: Path,
    progress: Progress = lambda done, of: None,
    unlabelled_pixels: Sequence[NDArray[np.uint8]] = (),
) -> Student:
    """-> the student with the running mean of its weights. Resumes from `checkpoint` if it exists and has the same
    options and the same unlabelled images.

    `pixels`: the views of each source (`targets.open_pixels`), `unlabelled_pixels`: those of `targets.unlabelled`;
    `start`: initial weights of the backbone.
    """
    torch.manual_seed(options.seed)
    student = Student(options.hidden, options.dropout, options.frozen)
    student.backbone.load_state_dict(start)
    network = StudentWithProjection(student, targets.features.cls.shape[2])
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    mean = Averaged(student, options.averaging)
    optimiser = _make_optimiser(network, options)
    modules = {"pupil": network, "mean": mean, "optimiser": optimiser}  # keys of the checkpoint
    key = _checkpoint_key(options, targets)
    step, seconds_before = _load(checkpoint, modules, key)
    batches = DistilBatches(
        targets, pixels, batch_size=options.pictures, source_power=options.source_power, seed=options.seed,
        unlabelled=options.unlabelled_pictures if targets.unlabelled else 0, unlabelled_pixels=unlabelled_pixels,
        mixup=options.mixup,
    )  # fmt: skip
    started = time.monotonic() - seconds_before
    while (share := _share_done(step, time.monotonic() - started, options)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * _schedule(share)
        side = next(side for until, side in options.sides if share < until)
        loss = _loss(network, batches.draw(step, side), options)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT_NORM)
        optimiser.step()
        mean.update(student)
        step += 1
        if step % _STEPS_PER_CHECKPOINT == 0:
            _save(checkpoint, modules, step, time.monotonic() - started, key)
        progress(round(share * 1000), 1000)
    _save(checkpoint, modules, step, time.monotonic() - started, key)
    progress(1000, 1000)
    averaged = mean.module.eval()
    assert isinstance(averaged, Student)
    return averaged


def _share_done(step: int, seconds: float, options: DistilOptions) -> float:
    """The share of the run that is done, by steps or by time."""
    of_time = seconds / 60 / options.minutes if options.minutes else 0.0
    return max(step / options.steps, of_time)


def _schedule(share: float) -> float:
    """Factor of the learning rate: linear warm-up, then half a cosine down to zero."""
    if share < _WARM_UP:
        return 0.05 + 0.95 * share / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP)))


def _loss(network: StudentWithProjection, batch: Batch, options: DistilOptions) -> Tensor:
    student = network.student
    pooled = (
        student.backbone(batch.views).mean((2, 3)).unflatten(0, batch.teacher_cls.shape[:2])
    )  # (N, V, 1280)
    pair_logits, view_logits = student.head_outputs(pooled)
    logits = torch.cat([pair_logits, view_logits], dim=1)  # (N, 2 * V - 1)
    smoothed = batch.labels * (1 - options.label_smoothing) + options.label_smoothing / 2
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    labelled = logits[: len(smoothed)]
    label_loss = cross_entropy(labelled, smoothed[:, None].expand_as(labelled))
    soft_labels = torch.sigmoid(batch.teacher / options.temperature)[:, None].expand_as(logits)
    teacher_loss = cross_entropy(logits / options.temperature, soft_labels) * options.temperature
    similarity = nn.functional.cosine_similarity(network.projection(pooled), batch.teacher_cls, dim=2)
    feature_loss = 1 - similarity.mean()
    share = options.teacher_share
    total: Tensor = (1 - share) * label_loss + share * teacher_loss + options.feature_weight * feature_loss
    return total


def _make_optimiser(network: StudentWithProjection, options: DistilOptions) -> torch.optim.Optimizer:
    """AdamW without weight decay of biases and normalisation parameters."""
    trainable = [value for value in network.parameters() if value.requires_grad]
    groups = [
        {"params": [value for value in trainable if value.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [value for value in trainable if value.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate)


def _checkpoint_key(options: DistilOptions, targets: DistilTargets) -> str:
    """What the batches and the schedule of a run depend on besides the data set."""
    if not targets.unlabelled:
        return repr(options)
    return f"{options!r}, {options.unlabelled_pictures} a step of unlabelled {pictures_id(targets.unlabelled.features)}"


def _save(path: Path, modules: dict[str, Any], step: int, seconds: float, key: str) -> None:
    states = {name: module.state_dict() for name, module in modules.items()}
    with replacing(path) as stream:
        torch.save({**states, "step": step, "seconds": seconds, "options": key}, stream)


def _load(path: Path, modules: dict[str, Any], key: str) -> tuple[int, float]:
    """-> steps done, seconds spent on them. (0, 0.0) if there is no checkpoint or it has another key."""
    if not path.exists():
        return 0, 0.0
    stored = torch.load(path, weights_only=True)
    if stored["options"] != key:
        return 0, 0.0
    for name, module in modules.items():
        module.load_state_dict(stored[name])
    return int(stored["step"]), float(stored["seconds"])
