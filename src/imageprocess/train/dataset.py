"""The training pictures: a store of equalised deliveries, and the order in which they are shown.

A picture is decoded, degraded and encoded once for each of its deliveries (`equalise`), and the small files that come
out are kept. A network then trains as fast as it can compute, not as fast as pictures of 12 megapixels can be read:
a step costs a JPEG decode at its own size.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ..data.equalise import VERSION, equalise, picture_seed
from ..data.index import IndexRow
from ..decode import decode
from ..errors import DataError
from ..model.preprocess import resize
from ..model.spec import InputSpec
from . import shards

STORE = f"delivered-{VERSION}"  # below the data set's folder
# The delivery that validation and test see: drawn from the picture's own seed, as `evaluate` draws it.
HELD_OUT = 0
LABELS = {"ai": 0, "real": 1}  # the order of the classes in every model of ours

Balance = Literal["class", "source"]


class Shown(Dataset[tuple[Tensor, int]]):
    """Pictures of one split. What is random in an epoch follows from seed, epoch and the picture's place alone."""

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


class Pictures(Shown):
    """Equalised pictures of one split.

    Training shows delivery 1 + epoch modulo `deliveries` (`set_epoch`), half of them mirrored, and of each a random
    window of `window` x `window` pixels where that is not 0; validation and test always HELD_OUT and whole, so that
    every run measures on the very same pixels. `deliveries=0` says that it is held out. `resized`: read what
    `keep_resized` has kept.
    """

    def __init__(
        self,
        folder: Path,
        rows: Sequence[IndexRow],
        spec: InputSpec,
        *,
        seed: int = 0,
        deliveries: int = 0,
        mirrored: bool = True,
        window: int = 0,
        resized: bool = False,
    ) -> None:
        super().__init__(rows, spec, seed)
        self.folder = folder
        self.deliveries = deliveries
        self.mirrored = mirrored and deliveries > 0
        self.window = window if deliveries > 0 else 0
        self.resized = resized

    @property
    def delivery(self) -> int:
        return 1 + self.epoch % self.deliveries if self.deliveries else HELD_OUT

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """-> pixels (H, W, 3) uint8, class index."""
        row = self.rows[index]
        if self.resized:
            pixels = _open_resized(self.kept_at)[index]
        else:
            pixels = resize(read_delivery(self.folder, row, self.delivery), self.spec)
        draw = self.draw(index)
        if self.mirrored and draw.random() < 0.5:
            pixels = pixels[:, ::-1]
        if self.window:
            y, x = draw.integers(0, np.array(pixels.shape[:2]) - self.window, endpoint=True).tolist()
            pixels = pixels[y : y + self.window, x : x + self.window]
        return torch.from_numpy(np.array(pixels)), LABELS[row.label]

    @functools.cached_property
    def _shown_rows(self) -> str:
        # The order counts too: a picture is found by its place.
        return hashlib.sha256("\n".join(row.sha256 for row in self.rows).encode()).hexdigest()[:12]

    @property
    def kept_at(self) -> Path:
        size = f"{self.spec.width}x{self.spec.height}-{self.spec.filter}-{self.spec.reducing_gap}"
        return self.folder / STORE / "resized" / f"{self._shown_rows}-{size}-{self.delivery}.npy"


class InMemory(Shown):
    """Pictures as they are, all at once in memory: for small ones, whose traces no degradation leaves.

    In training half of them are mirrored, and moved by up to `shift` pixels either way, their edges reflected; of that,
    a random window of `window` x `window` pixels where it is not 0.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],  # (N, H, W, 3)
        rows: Sequence[IndexRow],
        spec: InputSpec,
        *,
        seed: int = 0,
        shift: int = 0,
        window: int = 0,
        moved: bool = False,
    ) -> None:
        super().__init__(rows, spec, seed)
        self.shift = shift if moved else 0
        self.shape = (window, window) if window else (spec.height, spec.width)
        self.moved = moved
        edge = (self.shift, self.shift)
        self.pixels = np.pad(pixels, ((0, 0), edge, edge, (0, 0)), mode="reflect") if self.shift else pixels

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """-> pixels (H, W, 3) uint8, class index."""
        pixels = self.pixels[index]
        if self.moved:
            height, width = self.shape
            room = np.array(pixels.shape[:2]) - self.shape + 1
            y, x, mirrored = self.draw(index).integers(0, (*room, 2)).tolist()
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
    window: int = 0,
    jobs: int,
    progress: Callable[[int, int], None],
) -> tuple[InMemory, InMemory]:
    """Read both, `progress` being told how many of them are done; the first moves its pictures."""
    rows = [*training, *held_out]
    pixels = np.empty((len(rows), spec.height, spec.width, 3), dtype=np.uint8)
    with ProcessPoolExecutor(jobs) as pool:
        work = pool.map(_read_at, [folder] * len(rows), rows, [spec] * len(rows), chunksize=256)
        for done, found in enumerate(work):
            pixels[done] = found
            progress(done + 1, len(rows))
    count = len(training)
    return (
        InMemory(pixels[:count], training, spec, seed=seed, shift=shift, window=window, moved=True),
        InMemory(pixels[count:], held_out, spec),
    )


def _read_at(folder: Path, row: IndexRow, spec: InputSpec) -> NDArray[np.uint8]:
    return resize(_decoded(folder, row), spec)


def keep_resized(pictures: Pictures, *, jobs: int, progress: Callable[[int, int], None]) -> None:
    """Keep the present delivery of all of `pictures` as the network takes them: (N, H, W, 3) uint8 in one file below
    the store, 150 KB a picture of 224 x 224. A step then costs no decoding and no resizing."""
    path = pictures.kept_at
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    shape = (len(pictures), pictures.spec.height, pictures.spec.width, 3)
    kept = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
    with ProcessPoolExecutor(jobs) as pool:
        arguments = [(pictures.folder, row, pictures.delivery, pictures.spec) for row in pictures.rows]
        work = pool.map(_resized_one, *zip(*arguments, strict=True), chunksize=64)
        for done, found in enumerate(work):
            kept[done] = found
            progress(done + 1, len(kept))
    kept.flush()
    part.replace(path)


def _resized_one(folder: Path, row: IndexRow, number: int, spec: InputSpec) -> NDArray[np.uint8]:
    return resize(read_delivery(folder, row, number), spec)


@functools.lru_cache(maxsize=32)
def _open_resized(path: Path) -> NDArray[np.uint8]:
    return np.asarray(np.load(path, mmap_mode="r"))


def to_input(pixels: Tensor, spec: InputSpec) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in channels_last, normalised as `model.preprocess.normalise` does."""
    std = torch.tensor(spec.std, device=pixels.device)
    mean = torch.tensor(spec.mean, device=pixels.device)
    return (pixels.float() * (1 / (255 * std)) - mean / std).permute(0, 3, 1, 2)


def split_for_training(data: Path, rows: Sequence[IndexRow]) -> tuple[list[IndexRow], list[IndexRow]]:
    """-> the rows to train on and those to choose by. Raises DataError where either is missing; `data` is named."""
    training = [row for row in rows if row.split == "train"]
    validation = [row for row in rows if row.split == "val"]
    if not training or not validation:
        raise DataError(
            f"{data}: training needs a train and a val split; found {len(training)} and {len(validation)}"
        )
    return training, validation


def count_splits(rows: Sequence[IndexRow]) -> dict[str, int]:
    return {split: sum(row.split == split for row in rows) for split in ("train", "val", "test")}


def epoch_order(rows: Sequence[IndexRow], *, seed: int, epoch: int, balance: Balance = "class") -> list[int]:
    """The pictures of an epoch, in random order, as many of either class.

    "class": every picture once, and pictures of the smaller class again until both weigh the same. "source": a source
    is drawn by the square root of its size, so that a large one is not learnt by heart and a small one is heard.
    """
    rng = np.random.default_rng((seed, epoch))
    labels = np.array([LABELS[row.label] for row in rows])
    by_class = [np.flatnonzero(labels == label) for label in LABELS.values()]
    if min(len(members) for members in by_class) == 0:
        raise DataError("training needs pictures of both classes; the index holds only one")
    most = max(len(members) for members in by_class)
    if balance == "source":
        drawn = [rng.choice(m, most, p=root_weights([rows[i] for i in m.tolist()])) for m in by_class]
    else:
        drawn = [
            np.concatenate([m, rng.choice(m, most - len(m), replace=most > 2 * len(m))]) for m in by_class
        ]
    order: list[int] = rng.permutation(np.concatenate(drawn)).tolist()
    return order


def root_weights(rows: Sequence[IndexRow]) -> NDArray[np.float64]:
    """(N,) so that a source weighs as the square root of its size; the sum is 1."""
    _, which, counts = np.unique([row.source for row in rows], return_inverse=True, return_counts=True)
    weights = (1 / np.sqrt(counts))[which]
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def delivery_path(folder: Path, row: IndexRow, number: int) -> Path:
    return folder / STORE / delivery_name(row, number)


def delivery_name(row: IndexRow, number: int) -> str:
    return f"{row.sha256[:2]}/{row.sha256}.{number}"


def read_delivery(folder: Path, row: IndexRow, number: int) -> NDArray[np.uint8]:
    """-> (H, W, 3) uint8, from the store's shards, its files or, where it is missing, made from the picture itself."""
    try:
        data = shards.read(folder / STORE, delivery_name(row, number))
        if data is None:
            data = delivery_path(folder, row, number).read_bytes()
    except FileNotFoundError:
        return equalise(_decoded(folder, row), delivery_seed(row, number)).pixels
    with Image.open(io.BytesIO(data), formats=["JPEG", "WEBP"]) as image:
        return np.asarray(image.convert("RGB"))


def delivery_seed(row: IndexRow, number: int) -> int:
    """Of the picture alone: runs with other seeds see the same deliveries, in another order."""
    return picture_seed(row.sha256) + number


def fill_store(
    folder: Path,
    training: Sequence[IndexRow],
    held_out: Sequence[IndexRow],
    *,
    deliveries: int,
    jobs: int,
    progress: Callable[[int, int], None],
) -> None:
    """Make the deliveries that are missing: 1 to `deliveries` of `training`, HELD_OUT of `held_out`."""
    wanted = [(row, range(1, deliveries + 1)) for row in training]
    wanted += [(row, range(HELD_OUT, HELD_OUT + 1)) for row in held_out]
    # The last of a picture's deliveries is written last.
    missing = [
        (row, numbers) for row, numbers in wanted if not delivery_path(folder, row, numbers[-1]).exists()
    ]
    if not missing:
        return
    with ProcessPoolExecutor(jobs) as pool:
        work = pool.map(_store_one, [folder] * len(missing), *zip(*missing, strict=True), chunksize=16)
        for done, _ in enumerate(work, start=1):
            progress(done, len(missing))


def pack_store(
    folder: Path, training: Sequence[IndexRow], held_out: Sequence[IndexRow], *, deliveries: int
) -> None:
    """Put the store's files that a run needs into shards, from which they are read from then on."""
    names = [delivery_name(row, number) for row in training for number in range(1, deliveries + 1)]
    names += [delivery_name(row, HELD_OUT) for row in held_out]
    if any(shards.find(folder / STORE, name) is None for name in names):
        shards.pack(folder / STORE, names)


def _store_one(folder: Path, row: IndexRow, numbers: range) -> None:
    pixels = _decoded(folder, row)
    for number in numbers:
        target = delivery_path(folder, row, number)
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        part.write_bytes(equalise(pixels, delivery_seed(row, number)).data)
        part.replace(target)


def _decoded(folder: Path, row: IndexRow) -> NDArray[np.uint8]:
    return decode((folder / row.path).read_bytes(), name=row.path).pixels
