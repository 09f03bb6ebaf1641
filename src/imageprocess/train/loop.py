"""The training loop: samples, network, steps, validation, checkpoints, the best epoch.

OUT/last.ckpt      everything that is needed to resume the run (checkpoint.py)
OUT/best.pth       weights of the epoch with the best validation accuracy;  OUT/best_val.npz  its validation logits
OUT/log.csv        one row an epoch;  OUT/curves.png  the same as a figure
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from ..data.index import IndexRow, read_index, rows_id
from ..data.sampling import epoch_order
from ..errors import UsageError
from .averaging import Averaged
from .checkpoint import State, load, save
from .curves import write_log
from .devices import (
    DeviceOptions,
    gather_predictions,
    keep_freed_memory,
    open_fabric,
    predict_share,
    train_share,
)
from .inputs import open_samples, split_rows
from .progress import EpochMeter, Report
from .recipes import NETS, Recipe, recipe_of
from .result import DataFacts, TrainResult
from .samples.dataset import InMemorySamples, Samples
from .samples.options import LoaderOptions
from .samples.options import Progress as CacheProgress
from .samples.pixels import to_input
from .teacher import Teacher, training_targets

_SEED_STRIDE = 1_000_003


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What the steps of a run share. `modules`: network, optimiser and, if the recipe averages weights, averaged."""

    fabric: Fabric
    recipe: Recipe
    loader: LoaderOptions
    out: Path
    images_id: str
    modules: dict[str, Any]
    state: State
    targets: Tensor  # (N, 2) of the training samples
    teacher: Teacher | None

    @property
    def checkpoint(self) -> Path:
        return self.out / "last.ckpt"

    def save(self) -> None:
        save(self.fabric, self.checkpoint, self.modules, self.state, self.recipe, self.images_id)

    def load(self) -> None:
        load(self.fabric, self.checkpoint, self.modules, self.state, self.recipe, self.images_id)


def train(
    data: Path,
    out: Path,
    recipe: Recipe | None = None,
    *,
    resume: bool = False,
    loader: LoaderOptions | None = None,
    devices: DeviceOptions | None = None,
    rows: list[IndexRow] | None = None,
    teacher: Path | None = None,
    report: Report = lambda progress: None,
    caching: CacheProgress = lambda done, of: None,
) -> TrainResult:
    """Train `recipe.net` on the train split of `data` and choose the epoch by the val split.

    `rows`: a subset of the index to train on; by default all of it. `teacher`: a table of probabilities (`teacher.py`),
    for a recipe with a teacher_share. On KeyboardInterrupt the checkpoint is written and the interrupt is raised again;
    `resume=True` continues to the same result, bit for bit on the same machine. With several processes, each calls this
    function and gets the result; only the first one writes files, and an interrupted epoch starts again. Raises
    UsageError for options that do not fit together, DataError for unusable data.
    """
    recipe, loader, devices = (
        recipe or recipe_of("cnn"),
        loader or LoaderOptions(),
        devices or DeviceOptions(),
    )
    _check_options(out, recipe, devices, teacher, resume=resume)
    all_rows = read_index(data) if rows is None else rows
    # A subset may have validation images of one class; its model is then not calibrated.
    training, validation = split_rows(data, all_rows, both_classes_in_validation=rows is None)
    taught_by = Teacher.open(teacher, training) if teacher else None
    samples, val_samples = open_samples(data, training, validation, recipe, loader, caching)
    out.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    fabric = open_fabric(devices, recipe.batch_size, recipe.precision)
    images_id = rows_id(training + validation) + (taught_by.sha256 if taught_by else "")
    run = _Run(
        fabric, recipe, loader, out, images_id, _modules(fabric, recipe), State(),
        training_targets(training, recipe, taught_by), taught_by,
    )  # fmt: skip
    if resume:
        run.load()
    while run.state.epoch < recipe.epochs:
        try:
            _train_epoch(run, samples, report)
            _validate(run, val_samples)
        except KeyboardInterrupt:
            if fabric.world_size == 1:  # several processes may have stopped at different steps
                run.save()
            raise
        run.save()
        if fabric.is_global_zero:
            write_log(out, run.state.log)
        fabric.barrier()
    return _result(run, all_rows)


def _check_options(
    out: Path, recipe: Recipe, devices: DeviceOptions, teacher: Path | None, *, resume: bool
) -> None:
    recipe_of(recipe.net)  # raises for an unknown network
    if bool(recipe.teacher_share) != bool(teacher):
        raise UsageError("--teacher and a --teacher-share above 0 go together")
    if (out / "last.ckpt").exists() and not resume:
        raise UsageError(f"{out}: already contains a run; continue it with --resume or choose another --out")
    if recipe.batch_size < 2 * devices.processes:
        raise UsageError(
            f"--batch-size {recipe.batch_size}: batch normalisation needs at least two images in each of "
            f"{devices.processes} processes"
        )


def _modules(fabric: Fabric, recipe: Recipe) -> dict[str, Any]:
    fabric.seed_everything(recipe.seed, verbose=False)
    network = NETS[recipe.net].to_train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # With a weight decay of zero this is Adam (Loshchilov and Hutter 2019).
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    network, optimiser = fabric.setup(network, optimiser)
    modules = {"network": network, "optimiser": optimiser}
    if recipe.averaging:
        modules["averaged"] = Averaged(network.module, recipe.averaging)
    return modules


def _train_epoch(run: _Run, samples: Samples, report: Report) -> None:
    """The rest of epoch `state.epoch`, from step `state.step`. All randomness depends on the seed and the position."""
    fabric, recipe, state = run.fabric, run.recipe, run.state
    network, optimiser, averaged = (
        run.modules["network"],
        run.modules["optimiser"],
        run.modules.get("averaged"),
    )
    steps, batches = _train_batches(run, samples)
    meter = EpochMeter(fabric, state, steps, report)
    network.train()
    try:
        for (pixels, labels), targets in batches:
            position = state.epoch * steps + state.step
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate_at(position, steps)
            # Dropout is seeded by the position, so that a resumed run draws the same.
            torch.manual_seed(recipe.seed * _SEED_STRIDE + position + fabric.global_rank * 2**40)
            logits = network(to_input(pixels, samples.spec))
            loss = nn.functional.cross_entropy(logits, targets)
            optimiser.zero_grad()
            fabric.backward(loss)
            optimiser.step()
            if averaged is not None:
                averaged.update(network.module)
            state.step += 1
            meter.add(loss.detach(), (logits.argmax(1) == labels).sum(), len(labels))
    except KeyboardInterrupt:
        # Several processes save nothing then, and the others may not be there to answer.
        while meter.pending and fabric.world_size == 1:
            meter.count_first()
        raise
    if meter.pending:
        meter.report_first()


def _train_batches(run: _Run, samples: Samples) -> tuple[int, Iterable[tuple[tuple[Tensor, Tensor], Tensor]]]:
    """-> the number of steps of the epoch, and the remaining batches of this process: (pixels, labels), targets."""
    fabric, recipe, state = run.fabric, run.recipe, run.state
    samples.set_epoch(state.epoch)
    size = recipe.batch_size // fabric.world_size
    order = train_share(fabric, epoch_order(samples.rows, seed=recipe.seed, epoch=state.epoch))
    if len(order) % size == 1:  # batch normalisation needs two
        order.pop()
    steps = -(-len(order) // size)
    order = order[state.step * size :]
    loader = _loader(Subset(samples, order), size, run.loader.workers)
    batches: Any = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
    targets = fabric.to_device(run.targets[order])
    return steps, zip(
        batches, torch.split(targets, size), strict=False
    )  # no samples are split into one empty part


def _validate(run: _Run, samples: Samples) -> None:
    """Measure the epoch, store its weights if it is the best so far, and advance `state` to the next epoch."""
    state, measured = run.state, run.modules.get("averaged", run.modules["network"])
    # Starting loader processes takes a second and gains nothing if the images are in memory.
    workers = 0 if isinstance(samples, InMemorySamples) else run.loader.workers
    logits, labels = predict(run.fabric, measured, samples, run.recipe.batch_size, workers)
    row = _log_row(state, logits, labels)
    if row["val_accuracy"] > state.best_accuracy:
        if run.fabric.is_global_zero:
            torch.save(measured.module.state_dict(), run.out / "best.pth")
            np.savez(run.out / "best_val.npz", logits=logits, labels=labels)
        state.best_accuracy = row["val_accuracy"]
    state.finish_epoch(row)


def predict(
    fabric: Fabric, network: Any, samples: Samples, batch_size: int, workers: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """-> logits (N, 2), labels (N,), in the order of `samples`."""
    network.eval()
    logits, labels = [], []
    share = Subset(samples, predict_share(fabric, len(samples)))
    loader = _loader(share, 2 * batch_size // fabric.world_size, workers)
    with torch.no_grad():
        for pixels, batch_labels in fabric.setup_dataloaders(loader, use_distributed_sampler=False):
            logits.append(network(to_input(pixels, samples.spec)).float())
            labels.append(batch_labels)
    count = len(samples)
    gathered = [
        gather_predictions(fabric, torch.cat(parts), count).cpu().numpy() for parts in (logits, labels)
    ]
    return gathered[0], gathered[1]


def _loader(
    samples: Dataset[tuple[Tensor, int]], batch_size: int, workers: int
) -> DataLoader[tuple[Tensor, int]]:
    return DataLoader(
        samples, batch_size=batch_size, num_workers=workers, prefetch_factor=4 if workers else None
    )


def _log_row(state: State, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    loss = float(nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)))
    return {
        "epoch": state.epoch + 1,
        "train_loss": state.loss_sum / state.seen,
        "train_accuracy": state.correct / state.seen,
        "val_loss": loss,
        "val_accuracy": float((logits.argmax(1) == labels).mean()),
        "images_per_s": state.seen / state.seconds,
        "seconds": state.seconds,
    }


def _result(run: _Run, rows: list[IndexRow]) -> TrainResult:
    log = run.state.log
    network = NETS[run.recipe.net].to_train()
    network.load_state_dict(torch.load(run.out / "best.pth", weights_only=True, map_location="cpu"))
    best_val = np.load(run.out / "best_val.npz")
    return TrainResult(
        recipe=run.recipe,
        data=DataFacts.of(rows),
        log=log,
        best_epoch=int(max(log, key=lambda row: row["val_accuracy"])["epoch"]),
        val_logits=best_val["logits"],
        val_labels=best_val["labels"],
        network=network.eval().in_use(),
        teacher=run.teacher.facts() if run.teacher else None,
    )
