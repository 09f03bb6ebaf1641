"""Training: data, network, steps, checkpoints, the best epoch.

OUT/last.ckpt      everything that a run needs to resume as if it had never stopped
OUT/best.pth       the weights of the epoch with the best validation accuracy;  OUT/best_val.npz  its logits
OUT/log.csv        one row an epoch;  OUT/curves.png  the same as a figure
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from ..data.index import IndexRow, data_id, read_index, rows_id
from ..errors import UsageError
from .averaging import Averaged
from .checkpoint import State, load, save
from .curves import write_log
from .dataset import (
    Images,
    InMemory,
    count_splits,
    epoch_order,
    need_both_classes,
    smallest_px,
    split_for_training,
    to_input,
)
from .devices import gathered, keep_memory, open_fabric, padded_share, share
from .nets import Network
from .opening import open_pictures
from .progress import Counter, Report
from .recipes import NETS, Recipe, recipe_of

_SEED_STRIDE = 1_000_003


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    recipe: Recipe
    log: list[dict[str, float]]
    best_epoch: int
    val_logits: np.ndarray[Any, np.dtype[np.float32]]  # (N, 2) of the best epoch
    val_labels: np.ndarray[Any, np.dtype[np.int64]]  # (N,)
    network: Network  # with the best epoch's weights, on the CPU
    data_id: str
    images: dict[str, int]  # split -> images
    smallest_px: int  # the longer side of the smallest training image


def train(
    data: Path,
    out: Path,
    recipe: Recipe | None = None,
    *,
    resume: bool = False,
    workers: int = 2,
    devices: int = 1,
    nodes: int = 1,
    resized: bool = False,
    rows: list[IndexRow] | None = None,
    report: Report = lambda progress: None,
    caching: Callable[[int, int], None] = lambda done, of: None,
) -> TrainResult:
    """Train `recipe.net` on the train split of `data`, choose the epoch by its val split.

    Stops cleanly on KeyboardInterrupt: the checkpoint is written and the interrupt raised again; `resume=True`
    continues to the same result, bit for bit on the same machine. With more than one of `devices` or `nodes` every
    process calls this and gets the result; only the first writes, and an interrupted epoch starts again. `resized`:
    resized arrays are kept too (`keep_resized`), with the same result. `rows` narrows the index.
    """
    recipe = recipe or recipe_of("cnn")
    _check(out, recipe, resume=resume, processes=devices * nodes)
    whole = rows is None
    rows = read_index(data) if rows is None else rows
    training, validation = split_for_training(data, rows)
    need_both_classes(data, training)
    if whole:  # a narrowed set may hold one class to validate on, and is not calibrated
        need_both_classes(data, validation)
    images, held_out = open_pictures(
        data, training, validation, recipe, jobs=max(1, workers), resized=resized, caching=caching
    )
    out.mkdir(parents=True, exist_ok=True)
    keep_memory()
    fabric = open_fabric(devices, recipe.batch_size, recipe.precision, nodes=nodes)
    parts = _set_up(fabric, recipe)
    state, images_id = State(), rows_id(training + validation)
    if resume:
        load(fabric, out / "last.ckpt", parts, state, recipe, images_id)
    while state.epoch < recipe.epochs:
        try:
            _epoch(fabric, parts, images, state, recipe, workers, report)
            _validate(fabric, parts, held_out, state, recipe, workers, out)
        except KeyboardInterrupt:
            if fabric.world_size == 1:  # several processes may have stopped at different steps
                save(fabric, out / "last.ckpt", parts, state, recipe, images_id)
            raise
        save(fabric, out / "last.ckpt", parts, state, recipe, images_id)
        if fabric.is_global_zero:
            write_log(out, state.log)
        fabric.barrier()
    return _result(out, recipe, state, rows)


def _check(out: Path, recipe: Recipe, *, resume: bool, processes: int) -> None:
    recipe_of(recipe.net)  # raises for an unknown network
    if (out / "last.ckpt").exists() and not resume:
        raise UsageError(f"{out}: contains a run already; continue it with --resume, or choose another --out")
    if recipe.batch_size < 2 * processes:
        raise UsageError(
            f"--batch-size {recipe.batch_size}: batch normalisation needs at least two images in each process"
        )


def _set_up(fabric: Fabric, recipe: Recipe) -> dict[str, Any]:
    """-> network, optimiser and, where the recipe has one, the running mean of the weights."""
    fabric.seed_everything(recipe.seed, verbose=False)
    network = NETS[recipe.net].to_train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # With a weight decay of zero this is Adam (Loshchilov and Hutter 2019).
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    network, optimiser = fabric.setup(network, optimiser)
    parts = {"network": network, "optimiser": optimiser}
    if recipe.averaging:
        parts["averaged"] = Averaged(network.module, recipe.averaging)
    return parts


def _validate(
    fabric: Fabric,
    parts: dict[str, Any],
    held_out: Images,
    state: State,
    recipe: Recipe,
    workers: int,
    out: Path,
) -> None:
    """Measure the epoch, keep it if it is the best so far, and advance `state` to the next."""
    measured = parts.get("averaged", parts["network"])
    # Images in memory need no loader processes, which take a second to start.
    readers = 0 if isinstance(held_out, InMemory) else workers
    logits, labels = predict(fabric, measured, held_out, recipe.batch_size, readers)
    row = _summary(state, logits, labels)
    if row["val_accuracy"] > state.best_accuracy:
        if fabric.is_global_zero:
            torch.save(measured.module.state_dict(), out / "best.pth")
            np.savez(out / "best_val.npz", logits=logits, labels=labels)
        state.best_accuracy = row["val_accuracy"]
    state.finish_epoch(row)


def _result(out: Path, recipe: Recipe, state: State, rows: list[IndexRow]) -> TrainResult:
    best = NETS[recipe.net].to_train()
    best.load_state_dict(torch.load(out / "best.pth", weights_only=True, map_location="cpu"))
    kept = np.load(out / "best_val.npz")
    return TrainResult(
        recipe,
        state.log,
        int(max(state.log, key=lambda row: row["val_accuracy"])["epoch"]),
        kept["logits"],
        kept["labels"],
        best.eval().in_use(),
        data_id(rows),
        count_splits(rows),
        smallest_px(rows),
    )


def _epoch(
    fabric: Fabric,
    parts: dict[str, Any],
    images: Images,
    state: State,
    recipe: Recipe,
    workers: int,
    report: Report,
) -> None:
    """The rest of epoch `state.epoch`, from step `state.step` on. All randomness follows from seed and position."""
    network, optimiser, averaged = parts["network"], parts["optimiser"], parts.get("averaged")
    steps, batches = _batches(fabric, images, state, recipe, workers)
    counter = Counter(fabric, state, steps, report)
    network.train()
    try:
        for pixels, labels in batches:
            position = state.epoch * steps + state.step
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate_at(position, steps)
            # Dropout is drawn from the position, so that a resumed run draws the same.
            torch.manual_seed(recipe.seed * _SEED_STRIDE + position + fabric.global_rank * 2**40)
            logits = network(to_input(pixels, images.spec))
            loss = nn.functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
            optimiser.zero_grad()
            fabric.backward(loss)
            optimiser.step()
            if averaged is not None:
                averaged.update(network.module)
            state.step += 1
            counter.add(loss.detach(), (logits.argmax(1) == labels).sum(), len(labels))
    except KeyboardInterrupt:
        # Several processes save nothing then, and the others may not be there to answer.
        while counter.pending and fabric.world_size == 1:
            counter.count_first()
        raise
    if counter.pending:
        counter.report_first()


def _batches(
    fabric: Fabric, images: Images, state: State, recipe: Recipe, workers: int
) -> tuple[int, Iterable[tuple[Tensor, Tensor]]]:
    """-> the number of steps of the epoch, and this process's share of its batches that are still to come."""
    images.set_epoch(state.epoch)
    size = recipe.batch_size // fabric.world_size
    mine = share(fabric, epoch_order(images.rows, seed=recipe.seed, epoch=state.epoch))
    if len(mine) % size == 1:  # batch normalisation needs two
        mine.pop()
    steps = -(-len(mine) // size)
    loader = _loader(Subset(images, mine[state.step * size :]), size, workers)
    batches: Any = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
    return steps, batches


def predict(
    fabric: Fabric, network: Any, images: Images, batch_size: int, workers: int
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """-> logits (N, 2) float32, labels (N,) int64, in the order of `images`."""
    network.eval()
    logits, labels = [], []
    mine = Subset(images, padded_share(fabric, len(images)))
    loader = _loader(mine, 2 * batch_size // fabric.world_size, workers)
    with torch.no_grad():
        for pixels, truth in fabric.setup_dataloaders(loader, use_distributed_sampler=False):
            logits.append(network(to_input(pixels, images.spec)).float())
            labels.append(truth)
    count = len(images)
    whole = [gathered(fabric, torch.cat(parts), count).cpu().numpy() for parts in (logits, labels)]
    return whole[0], whole[1]


def _loader(images: Any, batch_size: int, workers: int) -> DataLoader[tuple[Tensor, int]]:
    return DataLoader(
        images, batch_size=batch_size, num_workers=workers, prefetch_factor=4 if workers else None
    )


def _summary(state: State, logits: Any, labels: Any) -> dict[str, float]:
    truth = torch.from_numpy(labels)
    loss = float(nn.functional.cross_entropy(torch.from_numpy(logits), truth))
    return {
        "epoch": state.epoch + 1,
        "train_loss": state.loss_sum / state.seen,
        "train_accuracy": state.correct / state.seen,
        "val_loss": loss,
        "val_accuracy": float((logits.argmax(1) == labels).mean()),
        "images_per_s": state.seen / state.seconds,
        "seconds": state.seconds,
    }
