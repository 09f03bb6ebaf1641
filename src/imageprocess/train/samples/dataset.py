"""Torch data sets over the images of one split. A sample is (pixels (H, W, 3) uint8, class index)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ...data.index import CLASS_INDEX, IndexRow
from ...model.preprocess import resize
from ...model.spec import InputSpec
from .augment import crop_and_mirror, mirror_and_shift, pad_reflect
from .cache import HELD_OUT_COPY, read_copy
from .options import Progress
from .pixels import decode_image
from .resized import find_resized


class Samples(Dataset[tuple[Tensor, int]]):
    """Samples of one split. Augmentation depends on the seed, the epoch and the sample's index alone."""

    def __init__(self, rows: Sequence[IndexRow], spec: InputSpec, seed: int) -> None:
        self.rows = rows
        self.spec = spec
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.rows)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def rng(self, index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, self.epoch, index))


class DegradedSamples(Samples):
    """Degraded copies, from the cache or made on access.

    In training (`copies` > 0) epoch e reads copy 1 + e modulo `copies`, mirrored with probability 0.5 and shifted by up
    to `max_shift` pixels. Otherwise (`copies` = 0) it always reads HELD_OUT_COPY without augmentation, so that every
    run is measured on the same pixels. `resized`: read the arrays that `resized.cache_resized` has stored.
    """

    def __init__(
        self,
        folder: Path,
        rows: Sequence[IndexRow],
        spec: InputSpec,
        *,
        seed: int = 0,
        copies: int = 0,
        max_shift: int = 0,
        resized: bool = False,
    ) -> None:
        super().__init__(rows, spec, seed)
        self.folder = folder
        self.copies = copies
        self.max_shift = max_shift
        self.resized = resized
        # Copy number -> array, and the index of each row in it. Every loader process opens its own.
        self._arrays: dict[int, tuple[NDArray[np.uint8], NDArray[np.intp]]] = {}

    @property
    def copy_number(self) -> int:
        """The copy that is read in this epoch."""
        return 1 + self.epoch % self.copies if self.copies else HELD_OUT_COPY

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self.rows[index]
        if self.resized:
            pixels = self._resized_pixels(index)
        else:
            pixels = resize(read_copy(self.folder, row, self.copy_number), self.spec)
        if self.copies:
            pixels = mirror_and_shift(pixels, self.max_shift, self.rng(index))
        return torch.from_numpy(np.array(pixels)), CLASS_INDEX[row.label]

    def _resized_pixels(self, index: int) -> NDArray[np.uint8]:
        if self.copy_number not in self._arrays:
            stored = find_resized(self.folder, self.rows, self.copy_number, self.spec)
            assert stored, "cache_resized has not been called for these rows"
            self._arrays[self.copy_number] = stored
        arrays, indices = self._arrays[self.copy_number]
        return np.asarray(arrays[indices[index]])


class InMemorySamples(Samples):
    """Images without degradation, all in memory: for small images, of which degradation would leave no traces.

    In training they are mirrored with probability 0.5 and shifted by up to `max_shift` pixels.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],  # (N, H, W, 3)
        rows: Sequence[IndexRow],
        spec: InputSpec,
        *,
        seed: int = 0,
        max_shift: int = 0,
        training: bool = False,
    ) -> None:
        super().__init__(rows, spec, seed)
        self.max_shift = max_shift if training else 0
        self.training = training
        self.pixels = pad_reflect(pixels, self.max_shift) if self.max_shift else pixels

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = self.pixels[index]
        if self.training:
            size = self.spec.height, self.spec.width
            pixels = crop_and_mirror(pixels, *size, self.max_shift, self.rng(index))
        return torch.from_numpy(np.ascontiguousarray(pixels)), CLASS_INDEX[self.rows[index].label]


def read_into_memory(
    folder: Path,
    training: Sequence[IndexRow],
    held_out: Sequence[IndexRow],
    spec: InputSpec,
    *,
    seed: int,
    max_shift: int,
    jobs: int,
    progress: Progress,
) -> tuple[InMemorySamples, InMemorySamples]:
    """-> training samples, which are augmented, and held-out samples, which are not."""
    rows = [*training, *held_out]
    pixels = np.empty((len(rows), spec.height, spec.width, 3), dtype=np.uint8)
    with ProcessPoolExecutor(jobs) as pool:
        results = pool.map(_resized_image, [folder] * len(rows), rows, [spec] * len(rows), chunksize=256)
        for index, image in enumerate(results):
            pixels[index] = image
            progress(index + 1, len(rows))
    count = len(training)
    return (
        InMemorySamples(pixels[:count], training, spec, seed=seed, max_shift=max_shift, training=True),
        InMemorySamples(pixels[count:], held_out, spec),
    )


def _resized_image(folder: Path, row: IndexRow, spec: InputSpec) -> NDArray[np.uint8]:
    return resize(decode_image(folder, row), spec)
