"""The images of a split as a network gets them, and the order of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ..data.index import IndexRow
from ..errors import DataError
from ..model.preprocess import resize
from ..model.spec import InputSpec
from .store import HELD_OUT, decoded, find_resized, read_delivery

LABELS = {"ai": 0, "real": 1}  # the order of the classes in every model of ours


class Images(Dataset[tuple[Tensor, int]]):
    """Images of one split. What is random in an epoch follows from seed, epoch and the image's index alone."""

    def __init__(self, rows: Sequence[IndexRow], spec: InputSpec, seed: int) -> None:
        self.rows = rows
        self.spec = spec
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.rows)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def draw(self, index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, self.epoch, index))


class Pictures(Images):
    """Degraded copies of the images of one split.

    Training reads copy 1 + epoch modulo `deliveries` (`set_epoch`), half of them mirrored, with a random shift of up to
    `shift` pixels; validation and test always read HELD_OUT, unchanged, so that every run measures on the same
    pixels (`deliveries=0`). `resized`: read what `store.keep_resized` has kept.
    """

    def __init__(
        self,
        folder: Path,
        rows: Sequence[IndexRow],
        spec: InputSpec,
        *,
        seed: int = 0,
        deliveries: int = 0,
        shift: int = 0,
        resized: bool = False,
    ) -> None:
        super().__init__(rows, spec, seed)
        self.folder = folder
        self.deliveries = deliveries
        self.shift = shift
        self.resized = resized
        # Of a delivery: the arrays, and where in them a row's is. Opened by each reader for itself.
        self._kept: dict[int, tuple[NDArray[np.uint8], NDArray[np.intp]]] = {}

    @property
    def delivery(self) -> int:
        return 1 + self.epoch % self.deliveries if self.deliveries else HELD_OUT

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """-> pixels (H, W, 3) uint8, class index."""
        row = self.rows[index]
        if self.resized:
            if self.delivery not in self._kept:
                found = find_resized(self.folder, self.rows, self.delivery, self.spec)
                assert found, "keep_resized has not been called for these rows"
                self._kept[self.delivery] = found
            arrays, places = self._kept[self.delivery]
            pixels = arrays[places[index]]
        else:
            pixels = resize(read_delivery(self.folder, row, self.delivery), self.spec)
        if self.deliveries:
            pixels = self._varied(pixels, self.draw(index))
        return torch.from_numpy(np.array(pixels)), LABELS[row.label]

    def _varied(self, pixels: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
        if draw.random() < 0.5:
            pixels = pixels[:, ::-1]
        return shifted(pixels, self.shift, draw) if self.shift else pixels


def shifted(pixels: NDArray[np.uint8], by: int, draw: np.random.Generator) -> NDArray[np.uint8]:
    """(H, W, 3) moved by up to `by` pixels both ways; what comes in at an edge is reflected."""
    y, x = draw.integers(0, 2 * by, 2, endpoint=True).tolist()
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((by, by), (by, by), (0, 0)), mode="reflect")[y : y + height, x : x + width]


class InMemory(Images):
    """Unchanged images, all in memory: for small ones, whose traces no degradation leaves.

    In training half of them are mirrored, and all moved by a random shift of up to `shift` pixels, edges reflected.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],  # (N, H, W, 3)
        rows: Sequence[IndexRow],
        spec: InputSpec,
        *,
        seed: int = 0,
        shift: int = 0,
        training: bool = False,
    ) -> None:
        super().__init__(rows, spec, seed)
        self.shift = shift if training else 0
        self.training = training
        edge = (self.shift, self.shift)
        self.pixels = np.pad(pixels, ((0, 0), edge, edge, (0, 0)), mode="reflect") if self.shift else pixels

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """-> pixels (H, W, 3) uint8, class index."""
        pixels = self.pixels[index]
        if self.training:
            height, width = self.spec.height, self.spec.width
            places = 2 * self.shift + 1
            y, x, mirrored = self.draw(index).integers(0, (places, places, 2)).tolist()
            pixels = pixels[y : y + height, x : x + width]
            pixels = pixels[:, ::-1] if mirrored else pixels
        return torch.from_numpy(np.ascontiguousarray(pixels)), LABELS[self.rows[index].label]


def in_memory(
    folder: Path,
    training: Sequence[IndexRow],
    held_out: Sequence[IndexRow],
    spec: InputSpec,
    *,
    seed: int,
    shift: int,
    jobs: int,
    progress: Callable[[int, int], None],
) -> tuple[InMemory, InMemory]:
    """Read both; only the first is augmented."""
    rows = [*training, *held_out]
    pixels = np.empty((len(rows), spec.height, spec.width, 3), dtype=np.uint8)
    with ProcessPoolExecutor(jobs) as pool:
        work = pool.map(_read_at, [folder] * len(rows), rows, [spec] * len(rows), chunksize=256)
        for done, found in enumerate(work):
            pixels[done] = found
            progress(done + 1, len(rows))
    count = len(training)
    return (
        InMemory(pixels[:count], training, spec, seed=seed, shift=shift, training=True),
        InMemory(pixels[count:], held_out, spec),
    )


def _read_at(folder: Path, row: IndexRow, spec: InputSpec) -> NDArray[np.uint8]:
    return resize(decoded(folder, row), spec)


def to_input(pixels: Tensor, spec: InputSpec) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in channels_last, normalised as `model.preprocess.normalise` does."""
    factor, offset = _scaling(spec, pixels.device)
    return (pixels.float() * factor - offset).permute(0, 3, 1, 2)


@cache
def _scaling(spec: InputSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """(3,), (3,) on the device; made once, as a copy to a GPU waits for all that it has to do."""
    mean, std = (torch.tensor(values, device=device) for values in (spec.mean, spec.std))
    return 1 / (255 * std), mean / std


def split_for_training(data: Path, rows: Sequence[IndexRow]) -> tuple[list[IndexRow], list[IndexRow]]:
    """-> the rows to train on and those to choose by. Raises DataError where either is missing; `data` is named."""
    training = [row for row in rows if row.split == "train"]
    validation = [row for row in rows if row.split == "val"]
    if not training or not validation:
        raise DataError(
            f"{data}: training needs a train and a val split; found {len(training)} and {len(validation)}"
        )
    return training, validation


def need_both_classes(data: Path, rows: Sequence[IndexRow]) -> None:
    """Of the rows of one split. Raises DataError, which names it, where one class is missing."""
    if len(labels := {row.label for row in rows}) == 1:
        raise DataError(
            f"{data}: all {rows[0].split} pictures are {labels.pop()}; training needs both classes there"
        )


def count_splits(rows: Sequence[IndexRow]) -> dict[str, int]:
    return {split: sum(row.split == split for row in rows) for split in ("train", "val", "test")}


def smallest_px(rows: Sequence[IndexRow]) -> int:
    """The longer side of the smallest picture that is trained on: of smaller ones a model has learnt nothing."""
    return min(max(row.width, row.height) for row in rows if row.split == "train")


def source_folds(rows: Sequence[IndexRow], folds: int, *, seed: int) -> NDArray[np.intp]:
    """(N,) the fold, 1 to `folds`, in which each picture lies: no source lies in two, each has its share of both
    classes, and of what a class shows.

    Where one fold had all the real faces, what had seen the others alone called every real face an AI's: it was asked
    what nobody will ask a detector that has seen them all, and the calibration followed. Raises DataError where a class
    has fewer sources than folds.
    """
    if any(len({row.source for row in rows if row.label == label}) < folds for label in LABELS):
        raise DataError(
            f"{folds} folds of sources need {folds} sources of either class at least; `data import` takes each folder "
            "below ai and real for one"
        )
    from sklearn.model_selection import StratifiedGroupKFold

    strata = np.array([f"{row.label} {row.category}" for row in rows])
    found = np.zeros(len(rows), dtype=np.intp)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    sources = [row.source for row in rows]
    for number, (_, members) in enumerate(split.split(strata, strata, sources), start=1):
        found[members] = number
    return found


def epoch_order(rows: Sequence[IndexRow], *, seed: int, epoch: int) -> list[int]:
    """The images of an epoch in random order: each once, and those of the smaller class again until both classes weigh
    the same."""
    rng = np.random.default_rng((seed, epoch))
    labels = np.array([LABELS[row.label] for row in rows])
    by_class = [np.flatnonzero(labels == label) for label in LABELS.values()]
    if min(len(members) for members in by_class) == 0:
        raise DataError("training needs pictures of both classes; the index holds only one")
    most = max(len(members) for members in by_class)
    drawn = [np.concatenate([m, rng.choice(m, most - len(m), replace=most > 2 * len(m))]) for m in by_class]
    order: list[int] = rng.permutation(np.concatenate(drawn)).tolist()
    return order
