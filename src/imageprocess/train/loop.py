"""Training, as a page of prose: data, network, steps, checkpoints, the best epoch.

OUT/last.ckpt      everything that a run needs to go on as if it had never stopped
OUT/best.pth       the weights of the best epoch by validation accuracy;  OUT/twin-N.pth  its twins' of that epoch
OUT/log.csv        one row an epoch;  OUT/curves.png  the same as a picture
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from ..data.index import IndexRow, data_id, read_index, rows_id
from ..errors import UsageError
from .averaging import Averaged
from .checkpoint import State, load, save
from .curves import write_log
from .dataset import (
    InMemory,
    Shown,
    count_splits,
    epoch_order,
    need_both_classes,
    smallest_px,
    source_folds,
    split_for_training,
    to_input,
)
from .devices import gathered, keep_memory, open_fabric, padded_share, share, total
from .fakes import folds_of_fakes, read_fakes
from .mixing import logits_and_loss
from .nets import Network
from .on_device import OnDevice
from .opening import open_pictures
from .recipes import NETS, Recipe, recipe_of
from .twins import Twins


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, for a progress bar. Losses and accuracies are running means of the epoch."""

    epoch: int
    step: int
    steps: int  # of the epoch
    loss: float
    accuracy: float
    images_per_s: float


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    recipe: Recipe
    log: list[dict[str, float]]
    best_epoch: int
    val_logits: np.ndarray[Any, np.dtype[np.float32]]  # (N, 2) of the best epoch
    val_labels: np.ndarray[Any, np.dtype[np.int64]]  # (N,)
    network: Network  # with the best epoch's weights, on the CPU
    data_id: str
    images: dict[str, int]  # split -> pictures
    smallest_px: int  # the longer side of the smallest picture trained on


def train(
    data: Path,
    out: Path,
    recipe: Recipe | None = None,
    *,
    resume: bool = False,
    workers: int = 2,
    devices: int = 1,
    nodes: int = 1,
    packed: bool = False,
    resized: bool = False,
    rows: list[IndexRow] | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    caching: Callable[[int, int], None] = lambda done, of: None,
) -> TrainResult:
    """Train `recipe.net` on the train split of `data`, choose the epoch by its val split.

    Stops cleanly on KeyboardInterrupt: the checkpoint is written and the interrupt raised again; `resume=True` goes on
    to the same result, to the bit on the same machine. With more than one of `devices` or `nodes` every process calls
    this and gets the result; the first alone writes, and an epoch that is interrupted begins anew. `packed`: the
    prepared pictures are put into tars and read from there. `resized`: kept as arrays too (`keep_resized`), to the
    same result. `rows` narrows the index (leave one generator out).
    """
    recipe = recipe or recipe_of("cnn")
    recipe_of(recipe.net)  # refuses what is no network
    if recipe.folds and devices * nodes > 1:
        raise UsageError("twins (--folds) are trained on one device")
    last = out / "last.ckpt"
    if last.exists() and not resume:
        raise UsageError(f"{out}: a run is there; go on with it by --resume, or name another --out")
    if recipe.batch_size < 2 * devices * nodes:
        raise UsageError(
            f"--batch-size {recipe.batch_size}: of one picture there is no spread to normalise by"
        )
    whole = rows is None
    rows = read_index(data) if rows is None else rows
    given, validation = split_for_training(data, rows)
    need_both_classes(data, given)
    if whole:  # what is narrowed may be chosen by one class alone, and is not calibrated
        need_both_classes(data, validation)
    fakes = read_fakes(data, given) if recipe.fakes else []
    rows, training = rows + fakes, given + fakes
    folds = np.zeros(len(training), dtype=np.intp)
    if recipe.folds:
        of_given = source_folds(given, recipe.folds, seed=recipe.seed)
        folds = np.append(of_given, folds_of_fakes(fakes, given, of_given))
    pictures, held_out = open_pictures(
        data,
        training,
        validation,
        recipe,
        jobs=max(1, workers),
        packed=packed,
        resized=resized,
        caching=caching,
    )
    out.mkdir(parents=True, exist_ok=True)

    keep_memory()
    fabric = open_fabric(devices, recipe.batch_size, recipe.precision, nodes=nodes)
    fabric.seed_everything(recipe.seed, verbose=False)
    network = Twins(NETS[recipe.net], recipe.folds).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # With a weight decay of zero this is Adam (Loshchilov and Hutter 2019).
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    network, optimiser = fabric.setup(network, optimiser)
    if isinstance(pictures, OnDevice):
        pictures.load(fabric.device, jobs=max(1, workers), progress=caching)
    held = {"network": network, "optimiser": optimiser}
    judged = network
    if recipe.averaging:
        held["averaged"] = judged = Averaged(network.module, recipe.averaging)
    state = State()
    shown = rows_id(training + validation)
    if resume:
        load(fabric, last, held, state, recipe, shown)

    while state.epoch < recipe.epochs:
        try:
            _epoch(fabric, held, pictures, folds, state, recipe, workers, report)
            # Pictures in memory need no readers, which take a second to start.
            readers = 0 if isinstance(held_out, InMemory) else workers
            val_logits, val_labels = predict(fabric, judged, held_out, recipe.batch_size, readers)
            row = _summary(state, val_logits, val_labels)
            if row["val_accuracy"] > state.best_accuracy:
                if fabric.is_global_zero:
                    judged.module.save(out, given, folds[: len(given)])
                    np.savez(out / "best_val.npz", logits=val_logits, labels=val_labels)
                state.best_accuracy = row["val_accuracy"]
            state.finish_epoch(row)
        except KeyboardInterrupt:
            if fabric.world_size == 1:  # more than one may have stopped at different steps
                save(fabric, last, held, state, recipe, shown)
            raise
        save(fabric, last, held, state, recipe, shown)
        if fabric.is_global_zero:
            write_log(out, state.log)
        fabric.barrier()

    best = NETS[recipe.net].to_train()
    best.load_state_dict(torch.load(out / "best.pth", weights_only=True, map_location="cpu"))
    kept = np.load(out / "best_val.npz")
    best_epoch = int(max(state.log, key=lambda row: row["val_accuracy"])["epoch"])
    return TrainResult(
        recipe,
        state.log,
        best_epoch,
        kept["logits"],
        kept["labels"],
        best.eval().in_use(),
        data_id(rows),
        count_splits(rows),
        smallest_px(rows),
    )


def _epoch(
    fabric: Fabric,
    held: dict[str, Any],
    pictures: Shown,
    folds: NDArray[np.intp],  # of each picture
    state: State,
    recipe: Recipe,
    workers: int,
    report: Callable[[Progress], None],
) -> None:
    """The rest of epoch `state.epoch`, from step `state.step` on. Everything random follows from seed and position."""
    network, optimiser, averaged = held["network"], held["optimiser"], held.get("averaged")
    pictures.set_epoch(state.epoch)
    order = [
        place
        for number in range(state.epoch * recipe.passes, (state.epoch + 1) * recipe.passes)
        for place in epoch_order(pictures.rows, seed=recipe.seed, epoch=number, balance=recipe.balance)
    ]
    size = recipe.batch_size // fabric.world_size
    mine = share(fabric, order)
    if len(mine) % size == 1:  # of a single picture there is no spread to normalise by
        mine.pop()
    steps = -(-len(mine) // size)
    mine = mine[state.step * size :]
    batches: Iterable[tuple[Tensor, Tensor]]
    if isinstance(pictures, OnDevice):
        batches = pictures.batches(mine, size, first=state.step, process=fabric.global_rank)
    else:
        loader = _loader(Subset(pictures, mine), size, workers)
        batches = fabric.setup_dataloaders(loader, use_distributed_sampler=False)  # type: ignore[assignment]
    folds = folds[mine]
    at = 0
    network.train()
    started = time.perf_counter()
    before = state.seconds
    unread: deque[tuple[Tensor, Tensor, int]] = deque()

    def count_first() -> None:
        loss, correct, seen = unread.popleft()
        loss_sum, right, count = total(fabric, loss.item() * seen, int(correct), seen)
        state.loss_sum += loss_sum
        state.correct += int(right)
        state.seen += int(count)
        state.seconds = before + time.perf_counter() - started

    def tell_first() -> None:
        count_first()
        report(
            Progress(
                state.epoch,
                state.step - len(unread),
                steps,
                state.loss_sum / state.seen,
                state.correct / state.seen,
                state.seen / state.seconds,
            )
        )

    try:
        for pixels, labels in batches:
            position = state.epoch * steps + state.step
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate_at(position, steps)
            # Dropout is drawn from the position, not from whatever was drawn before, so a resumed run draws the same.
            torch.manual_seed(recipe.seed * 1_000_003 + position + fabric.global_rank * 2**40)
            shown = to_input(pixels, pictures.spec)
            if state.epoch < recipe.small_epochs:
                side = recipe.small_side
                shown = nn.functional.interpolate(shown, (side, side), mode="bilinear", antialias=True)
            logits, loss = logits_and_loss(network, shown, labels, recipe)
            optimiser.zero_grad()
            fabric.backward(loss)
            _teach_twins(fabric, network, shown, labels, folds[at : at + len(labels)], recipe)
            at += len(labels)
            optimiser.step()
            if averaged is not None:
                averaged.update(network.module)
            state.step += 1
            # Read while the device works on the next step: to wait for each would leave it idle meanwhile.
            unread.append((loss.detach(), (logits.argmax(1) == labels).sum(), len(labels)))
            if len(unread) > 1:
                tell_first()
    except KeyboardInterrupt:
        # Of several processes none saves anything then, and the others may not be there to be asked.
        while unread and fabric.world_size == 1:
            count_first()
        raise
    if unread:
        tell_first()


def _teach_twins(
    fabric: Fabric, network: Any, shown: Tensor, labels: Tensor, folds: NDArray[np.intp], recipe: Recipe
) -> None:
    """Each twin's gradients, from what of the batch it may see. They share no weights: the order does not matter."""
    for number in range(1, recipe.folds + 1):
        places = torch.from_numpy(np.flatnonzero(folds != number))
        seen = (places.pin_memory() if shown.is_cuda else places).to(shown.device, non_blocking=True)
        if len(seen) > 1:  # of a single picture there is no spread to normalise by
            _, loss = logits_and_loss(partial(network, which=number), shown[seen], labels[seen], recipe)
            fabric.backward(loss)


def predict(
    fabric: Fabric, network: Any, pictures: Shown, batch_size: int, workers: int
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """-> logits (N, 2) float32, labels (N,) int64, in the order of `pictures`."""
    network.eval()
    logits, labels = [], []
    mine = Subset(pictures, padded_share(fabric, len(pictures)))
    loader = _loader(mine, 2 * batch_size // fabric.world_size, workers)
    with torch.no_grad():
        for pixels, truth in fabric.setup_dataloaders(loader, use_distributed_sampler=False):
            logits.append(network(to_input(pixels, pictures.spec)).float())
            labels.append(truth)
    count = len(pictures)
    whole = [gathered(fabric, torch.cat(parts), count).cpu().numpy() for parts in (logits, labels)]
    return whole[0], whole[1]


def _loader(pictures: Any, batch_size: int, workers: int) -> DataLoader[tuple[Tensor, int]]:
    return DataLoader(
        pictures, batch_size=batch_size, num_workers=workers, prefetch_factor=4 if workers else None
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
