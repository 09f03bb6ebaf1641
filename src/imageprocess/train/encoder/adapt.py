"""Fine-tune an encoder with low-rank adapters: views of strongly degraded training pictures, a head beside.

OUT/run.ckpt       adapters, head, optimiser and generators: a run that was interrupted goes on behind it
OUT/log.jsonl      a line an epoch: loss, pictures a second, AUROC of the sources held out
OUT/adapter.npz    the adapters, when the last epoch is done

The head here only gives the adapters something to learn from: the one that ships is trained on features of the merged,
quantised graph. With `fold` a share of the sources is never seen, and AUROC on them is measured every epoch; rank 0
trains the head alone, and is what adapters have to beat.
"""

from __future__ import annotations

import hashlib
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
from torch.utils.data import DataLoader, Dataset

from ...data.degrade import degrade
from ...data.index import IndexRow, first_of_each, rows_id, source_and_class
from ...decode import decode
from ...errors import DataError, InputError, UsageError
from ...files import replacing
from ...model.base.adapter import FILE_NAME, save_adapter
from ...model.base.tensors import Tensors
from ...model.preprocess import normalise
from ...model.spec import InputSpec
from ...model.views import cut_views
from ..dataset import source_folds
from .head import sampling_weights
from .lora import AdaptedTower, Target

Progress = Callable[[str, int, int], None]  # (what, step, of)
_SAVED_EVERY = 50  # steps
_LIGHT_EVERY = 4  # one in so many copies is degraded lightly


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    taps: tuple[int, ...]
    blocks: tuple[int, ...]  # the adapted ones
    rank: int = 8
    targets: tuple[Target, ...] = ("q", "v")
    epochs: int = 4
    batch_size: int = 32  # pictures, of two views each
    learning_rate: float = 3e-4  # the peak of one cycle; the head's is ten times that
    weight_decay: float = 0.01
    hidden: int = 64
    dropout: float = 0.3
    mixup: float = 0.3  # Beta(a, a), between pictures of one category; 0: none
    label_smoothing: float = 0.04
    source_power: float = 0.5
    per_source: int = 60  # of each class
    folds: int = 4
    fold: int | None = None  # 1 to `folds`: its sources are held out; None: none are
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
    """Fill `out`, from its checkpoint where there is one. `max_steps` ends this call early, as an interruption would.

    Raises UsageError where the checkpoint is of other options or pictures.
    """
    out.mkdir(parents=True, exist_ok=True)
    trained, held = _split(rows, options)
    run = _Run(tensors, options, trained, out / "run.ckpt")
    views = _Views(data, trained, spec, options)
    while run.epoch < options.epochs:
        began, before, total = time.perf_counter(), run.step, 0.0
        chosen = run.order()[run.step * options.batch_size :]
        for batch in _batches(views.of_epoch(run.epoch, chosen), options, workers):
            total += run.train_step(*batch)
            progress(f"epoch {run.epoch + 1} of {options.epochs}", run.step, run.steps)
            if max_steps is not None and run.done >= max_steps:
                return run.save()
        seconds, steps = time.perf_counter() - began, run.step - before
        row = {
            "epoch": run.epoch + 1, "loss": round(total / max(1, steps), 4), "steps": steps, "precision": run.precision,
            "pictures_per_s": round(steps * options.batch_size / seconds, 2),
            **({"held_out_auroc": run.measure(_Views(data, held, spec, options), workers)} if held else {}),
        }  # fmt: skip
        run.finish_epoch()
        with (out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
    if options.rank:
        save_adapter(out / FILE_NAME, run.tower.adapter())


def _batches(views: _Views, options: AdaptOptions, workers: int) -> DataLoader[tuple[Tensor, int, int]]:
    """Its generator is its own: a run that goes on draws as one that was never interrupted."""
    return DataLoader(views, options.batch_size, num_workers=workers, generator=torch.Generator())


def _split(rows: Sequence[IndexRow], options: AdaptOptions) -> tuple[list[IndexRow], list[IndexRow]]:
    """Training pictures, and those of the fold that is held out; `per_source` of each class of a source."""
    learnt = [row for row in rows if row.split in ("train", "val")]
    taken = first_of_each(learnt, options.per_source, source_and_class)
    if len({row.label for row in taken}) < 2:
        raise DataError("training pictures of both classes are needed")
    if options.fold is None:
        return taken, []
    folds = source_folds(taken, options.folds, seed=0)
    sides = [
        [row for row, fold in zip(taken, folds, strict=True) if (fold == options.fold) == is_held]
        for is_held in (False, True)
    ]
    if any(len({row.label for row in side}) < 2 for side in sides):
        raise DataError(f"fold {options.fold} has not both classes inside and outside; use fewer --folds")
    return sides[0], sides[1]


class _Views(Dataset[tuple[Tensor, int, int]]):
    """A degraded copy of a picture as the two views, its label and its category's number."""

    def __init__(self, data: Path, rows: Sequence[IndexRow], spec: InputSpec, options: AdaptOptions) -> None:
        self._data, self.rows, self._spec, self._seed = data, rows, spec, options.seed
        names = sorted({row.category for row in rows})
        self._categories = [names.index(row.category) for row in rows]
        self._epoch, self._order = 0, list(range(len(rows)))

    def of_epoch(self, epoch: int, order: Sequence[int]) -> _Views:
        self._epoch, self._order = epoch, list(order)
        return self

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, place: int) -> tuple[Tensor, int, int]:
        index = self._order[place]
        row = self.rows[index]
        try:
            pixels = decode((self._data / row.path).read_bytes(), name=row.path).pixels
        except InputError:  # decoded once when the set was built: this version refuses it
            pixels = np.full((64, 64, 3), 128, np.uint8)
        key = f"{row.sha256} {self._epoch} {self._seed}".encode()
        seed = int.from_bytes(hashlib.sha256(key).digest()[:6], "big")
        views = cut_views(degrade(pixels, seed, light=seed % _LIGHT_EVERY == 0), self._spec, 1)
        batch = torch.from_numpy(np.stack([normalise(view, self._spec) for view in views]))
        return batch, int(row.label == "ai"), self._categories[index]


class _Run:
    """The network, its optimiser and where the run is."""

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
        self._weights = sampling_weights(is_ai, np.array([row.source for row in rows]), options.source_power)
        self.steps = max(1, len(rows) // options.batch_size)  # an epoch
        self.epoch = self.step = self.done = 0  # `done`: steps of this call
        self._optimiser = torch.optim.AdamW(
            [
                {"params": list(self.tower.parameters()), "lr": options.learning_rate},
                {"params": list(self.head.parameters()), "lr": 10 * options.learning_rate},
            ],
            weight_decay=options.weight_decay,
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, [options.learning_rate, 10 * options.learning_rate],
            total_steps=options.epochs * self.steps, pct_start=0.1,
        )  # fmt: skip
        self._told = {"options": _plain(options), "pictures": rows_id(rows)}
        if checkpoint.exists():
            self._load()

    def order(self) -> list[int]:
        """The pictures of this epoch, drawn by their sources' weights; the same whenever it is asked for."""
        rng = np.random.default_rng([self._options.seed, self.epoch])
        weights = self._weights / self._weights.sum()
        count = self.steps * self._options.batch_size
        return [int(index) for index in rng.choice(len(weights), count, p=weights)]

    def train_step(self, views: Tensor, is_ai: Tensor, category: Tensor) -> float:
        """-> the loss"""
        options = self._options
        views, target = views.to(self._device), is_ai.float().to(self._device)
        if options.mixup:
            views, target = _mixed(views, target, category, options.mixup)
        target = target * (1 - options.label_smoothing) + options.label_smoothing / 2
        self.head.train()
        loss = nn.functional.binary_cross_entropy_with_logits(self._logits(views), target)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._schedule.step()
        self.step, self.done = self.step + 1, self.done + 1
        if self.step % _SAVED_EVERY == 0:
            self.save()
        return float(loss.detach())

    def measure(self, views: _Views, workers: int) -> float:
        """AUROC over pictures of one degraded copy each."""
        self.head.eval()
        with torch.no_grad():
            batches = _batches(views, self._options, workers)
            scores = [self._logits(batch.to(self._device)).cpu().numpy() for batch, _, _ in batches]
        is_ai: NDArray[np.bool_] = np.array([row.label == "ai" for row in views.rows])
        return round(float(roc_auc_score(is_ai, np.concatenate(scores))), 4)

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
        held = {name: value.state_dict() for name, value in self._held().items()}
        place = {"epoch": self.epoch, "step": self.step, "random": torch.get_rng_state()}
        with replacing(self._checkpoint) as stream:
            torch.save({**self._told, **held, **place}, stream)

    def _load(self) -> None:
        told = torch.load(self._checkpoint, weights_only=True, map_location="cpu")
        for key, value in self._told.items():
            if told.get(key) != value:
                raise UsageError(f"{self._checkpoint}: a run with other {key}; name another --out")
        for name, value in self._held().items():
            value.load_state_dict(told[name])
        self.epoch, self.step = int(told["epoch"]), int(told["step"])
        torch.set_rng_state(told["random"])

    def _held(self) -> dict[str, Any]:
        return {
            "tower": self.tower, "head": self.head, "optimiser": self._optimiser, "schedule": self._schedule,
        }  # fmt: skip


def _plain(options: AdaptOptions) -> dict[str, Any]:
    """As torch.load gives it back."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(options)))
    return plain


def _precision(options: AdaptOptions, device: torch.device) -> Literal["float32", "bf16"]:
    """bf16 where the processor multiplies matrices of it; with AVX-512 alone it took 1.7 times as long as float32."""
    if options.precision != "auto":
        return options.precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return "bf16" if has_amx and has_amx() else "float32"


def _mixed(views: Tensor, target: Tensor, category: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Each picture mixed with another of its category, view by view; labels alike."""
    other = torch.arange(len(views))
    for number in sorted(set(category.tolist())):
        places = torch.nonzero(category == number)[:, 0]
        other[places] = places[torch.randperm(len(places))]
    share = torch.distributions.Beta(alpha, alpha).sample((len(views),)).to(views.device)
    other = other.to(views.device)
    wide = share[:, None, None, None, None]
    return wide * views + (1 - wide) * views[other], share * target + (1 - share) * target[other]
