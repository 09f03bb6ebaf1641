"""Fine-tune an encoder with low-rank adapters (LoRA) and a head, on views of degraded training images.

OUT/run.ckpt       adapters, head, optimiser, schedule and random state; an interrupted run continues from it
OUT/log.jsonl      one line an epoch: loss, images a second, AUROC on the held-out sources
OUT/adapter.npz    the adapters, written after the last epoch

The head is needed for training the adapters alone: the head that ships is trained on features of the merged, quantised
graph. With `fold` the sources of one fold are held out and AUROC on them is measured every epoch. Rank 0 trains the
head alone and is the baseline for adapters.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ...data.folds import stratified_source_folds
from ...data.index import IndexRow, first_of_each, rows_id, source_and_class
from ...data.sampling import class_balanced_weights
from ...errors import DataError, UsageError
from ...files import replacing
from ...model.base.adapter import FILE_NAME, save_adapter
from ...model.base.tensors import Tensors
from ...model.spec import InputSpec
from ..samples.views import ViewSamples
from .lora import AdaptedTower, Target

Progress = Callable[[str, int, int], None]  # (what, step, of)
Batches = DataLoader[tuple[Tensor, int, int]]
_STEPS_PER_CHECKPOINT = 50


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    taps: tuple[int, ...]  # block numbers, 1 = the first, whose CLS tokens the head reads
    blocks: tuple[int, ...]  # blocks with adapters
    rank: int = 8
    targets: tuple[Target, ...] = ("q", "v")
    epochs: int = 4
    batch_size: int = 32  # images, of two views each
    learning_rate: float = 3e-4  # peak of the one-cycle schedule; ten times that for the head
    weight_decay: float = 0.01
    hidden: int = 64
    dropout: float = 0.3
    mixup: float = 0.3  # Beta(a, a), between images of one category; 0: no mixup
    label_smoothing: float = 0.04
    source_power: float = 0.5  # of `data.sampling.class_balanced_weights`
    per_source: int = 60  # images of each class of a source
    folds: int = 4
    fold: int | None = None  # 1 to `folds`: hold its sources out; None: hold none out
    precision: Literal["auto", "float32", "bf16"] = "auto"
    seed: int = 0


def adapt(
    tensors: Tensors,
    data: Path,
    rows: Sequence[IndexRow],
    spec: InputSpec,
    out: Path,
    options: AdaptOptions,
    *,
    workers: int = 2,
    max_steps: int | None = None,
    progress: Progress = lambda what, step, of: None,
) -> None:
    """Write the files of a run to `out`, or continue the run in it. `max_steps` stops this call after that many steps,
    as an interruption would.

    Raises UsageError if the checkpoint in `out` has other options or images, DataError if a class is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    training, held_out = _split(rows, options)
    run = _Run(tensors, options, training, out / "run.ckpt")
    samples = ViewSamples(data, training, spec, options.seed)
    while run.epoch < options.epochs:
        started, first_step, loss_sum = time.perf_counter(), run.step, 0.0
        samples.set_epoch(run.epoch, run.order()[run.step * options.batch_size :])
        for batch in _batches(samples, options, workers):
            loss_sum += run.train_step(*batch)
            progress(f"epoch {run.epoch + 1} of {options.epochs}", run.step, run.steps)
            if max_steps is not None and run.steps_of_call >= max_steps:
                return run.save()
        seconds, steps = time.perf_counter() - started, run.step - first_step
        row = {
            "epoch": run.epoch + 1, "loss": round(loss_sum / max(1, steps), 4), "steps": steps,
            "precision": run.precision, "pictures_per_s": round(steps * options.batch_size / seconds, 2),
        }  # fmt: skip
        if held_out:
            row["held_out_auroc"] = run.measure(ViewSamples(data, held_out, spec, options.seed), workers)
        run.finish_epoch()
        with (out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
    if options.rank:
        save_adapter(out / FILE_NAME, run.tower.adapter())


def _batches(samples: ViewSamples, options: AdaptOptions, workers: int) -> Batches:
    """With a generator of its own, so that the loader does not advance the global random state, which is stored."""
    return DataLoader(samples, options.batch_size, num_workers=workers, generator=torch.Generator())


def _split(rows: Sequence[IndexRow], options: AdaptOptions) -> tuple[list[IndexRow], list[IndexRow]]:
    """-> training images, images of the held-out fold; at most `per_source` of each class of a source."""
    eligible = [row for row in rows if row.split in ("train", "val")]
    chosen = first_of_each(eligible, options.per_source, source_and_class)
    if len({row.label for row in chosen}) < 2:
        raise DataError("adapters need train and val images of both classes; the index has one class or none")
    if options.fold is None:
        return chosen, []
    folds = stratified_source_folds(chosen, options.folds, seed=0)
    training = [row for row, fold in zip(chosen, folds, strict=True) if fold != options.fold]
    held_out = [row for row, fold in zip(chosen, folds, strict=True) if fold == options.fold]
    if any(len({row.label for row in part}) < 2 for part in (training, held_out)):
        raise DataError(
            f"--fold {options.fold}: one class is missing inside or outside this fold; use fewer --folds"
        )
    return training, held_out


class _Run:
    """Network, optimiser and position of a run."""

    def __init__(
        self, tensors: Tensors, options: AdaptOptions, rows: Sequence[IndexRow], checkpoint: Path
    ) -> None:
        torch.manual_seed(options.seed)
        self._options, self._checkpoint = options, checkpoint
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.precision = _precision(options, self._device)
        self.tower = AdaptedTower(
            tensors, options.taps, rank=options.rank, blocks=options.blocks, targets=options.targets
        ).to(self._device)
        width = 2 * len(options.taps) * len(tensors["pre_layrnorm.bias"])
        self.head = nn.Sequential(
            nn.BatchNorm1d(width, affine=False), nn.Dropout(0.1), nn.Linear(width, options.hidden), nn.ReLU(),
            nn.Dropout(options.dropout), nn.Linear(options.hidden, 1),
        ).to(self._device)  # fmt: skip
        is_ai = np.array([row.label == "ai" for row in rows])
        source = np.array([row.source for row in rows])
        self._weights = class_balanced_weights(is_ai, source, options.source_power)
        self.steps = max(1, len(rows) // options.batch_size)  # per epoch
        self.epoch = self.step = self.steps_of_call = 0
        self._optimiser, self._schedule = self._make_optimiser()
        self._identity = {"options": _plain(options), "pictures": rows_id(rows)}
        if checkpoint.exists():
            self._load()

    def _make_optimiser(self) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        options = self._options
        rates = [options.learning_rate, 10 * options.learning_rate]
        groups = [
            {"params": list(module.parameters()), "lr": rate}
            for module, rate in zip((self.tower, self.head), rates, strict=True)
        ]
        optimiser = torch.optim.AdamW(groups, weight_decay=options.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, rates, total_steps=options.epochs * self.steps, pct_start=0.1
        )
        return optimiser, schedule

    def order(self) -> list[int]:
        """The images of this epoch, drawn by their sampling weights; the same on every call."""
        rng = np.random.default_rng([self._options.seed, self.epoch])
        probabilities = self._weights / self._weights.sum()
        count = self.steps * self._options.batch_size
        return [int(index) for index in rng.choice(len(probabilities), count, p=probabilities)]

    def train_step(self, views: Tensor, is_ai: Tensor, category: Tensor) -> float:
        """views (B, 2, 3, side, side), is_ai (B,), category (B,) -> the loss."""
        options = self._options
        views, target = views.to(self._device), is_ai.float().to(self._device)
        if options.mixup:
            views, target = _mixup(views, target, category, options.mixup)
        target = target * (1 - options.label_smoothing) + options.label_smoothing / 2
        self.head.train()
        loss = nn.functional.binary_cross_entropy_with_logits(self._logits(views), target)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._schedule.step()
        self.step, self.steps_of_call = self.step + 1, self.steps_of_call + 1
        if self.step % _STEPS_PER_CHECKPOINT == 0:
            self.save()
        return float(loss.detach())

    def measure(self, samples: ViewSamples, workers: int) -> float:
        """AUROC on one degraded copy of each image."""
        self.head.eval()
        with torch.no_grad():
            batches = _batches(samples, self._options, workers)
            logits = [self._logits(views.to(self._device)).cpu().numpy() for views, _, _ in batches]
        is_ai: NDArray[np.bool_] = np.array([row.label == "ai" for row in samples.rows])
        return round(float(roc_auc_score(is_ai, np.concatenate(logits))), 4)

    def finish_epoch(self) -> None:
        self.epoch, self.step = self.epoch + 1, 0
        self.save()

    def _logits(self, views: Tensor) -> Tensor:
        """views (B, 2, 3, side, side) -> logit(ai) - logit(real) (B,) float32"""
        with self._autocast():
            cls = self.tower(views.flatten(0, 1))
        return self.head(cls.float().reshape(len(views), -1))[:, 0]  # type: ignore[no-any-return]

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def save(self) -> None:
        modules = {name: module.state_dict() for name, module in self._modules().items()}
        position = {"epoch": self.epoch, "step": self.step, "random": torch.get_rng_state()}
        with replacing(self._checkpoint) as stream:
            torch.save({**self._identity, **modules, **position}, stream)

    def _load(self) -> None:
        stored = torch.load(self._checkpoint, weights_only=True, map_location="cpu")
        for key, value in self._identity.items():
            if stored.get(key) != value:
                raise UsageError(f"{self._checkpoint}: a run with other {key}; choose another --out")
        for name, module in self._modules().items():
            module.load_state_dict(stored[name])
        self.epoch, self.step = int(stored["epoch"]), int(stored["step"])
        torch.set_rng_state(stored["random"])

    def _modules(self) -> dict[str, Any]:
        return {
            "tower": self.tower, "head": self.head, "optimiser": self._optimiser, "schedule": self._schedule,
        }  # fmt: skip


def _plain(options: AdaptOptions) -> dict[str, Any]:
    """With lists for tuples, as `torch.load` returns it."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(options)))
    return plain


def _precision(options: AdaptOptions, device: torch.device) -> Literal["float32", "bf16"]:
    """bf16 if the hardware multiplies matrices of it. On CPUs this needs AMX: with AVX-512 alone bf16 took 1.7 times
    as long as float32."""
    if options.precision != "auto":
        return options.precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return "bf16" if has_amx and has_amx() else "float32"


def _mixup(views: Tensor, target: Tensor, category: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix each image with another of its category, view by view, and the targets with the same weights."""
    partner = torch.arange(len(views))
    for number in sorted(set(category.tolist())):
        members = torch.nonzero(category == number)[:, 0]
        partner[members] = members[torch.randperm(len(members))]
    weight = torch.distributions.Beta(alpha, alpha).sample((len(views),)).to(views.device)
    partner = partner.to(views.device)
    per_image = weight[:, None, None, None, None]
    mixed = per_image * views + (1 - per_image) * views[partner]
    return mixed, weight * target + (1 - weight) * target[partner]
