"""A torch data set of the views that an encoder reads: the whole picture and a crop of a degraded copy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...data.degrade import degrade
from ...data.index import IndexRow
from ...decode import decode
from ...errors import InputError
from ...model.preprocess import normalise
from ...model.spec import InputSpec
from ...model.views import cut_views

_LIGHT_PERIOD = 4  # one in this many copies is degraded lightly


class ViewSamples(Dataset[tuple[Tensor, int, int]]):
    """Samples (views (2, 3, side, side) float32, 1 for AI or 0 for real, category number), in the order that
    `set_epoch` sets. The degradation depends on the image, the epoch and the seed alone."""

    def __init__(self, data: Path, rows: Sequence[IndexRow], spec: InputSpec, seed: int) -> None:
        self._data, self.rows, self._spec, self._seed = data, rows, spec, seed
        names = sorted({row.category for row in rows})
        self._categories = [names.index(row.category) for row in rows]
        self._epoch, self._order = 0, list(range(len(rows)))

    def set_epoch(self, epoch: int, order: Sequence[int]) -> None:
        """`order`: the indices of the epoch's images in `rows`."""
        self._epoch, self._order = epoch, list(order)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, position: int) -> tuple[Tensor, int, int]:
        index = self._order[position]
        row = self.rows[index]
        try:
            pixels = decode((self._data / row.path).read_bytes(), name=row.path).pixels
        except InputError:  # the version that built the data set decoded it, this version does not
            pixels = np.full((64, 64, 3), 128, np.uint8)
        key = f"{row.sha256} {self._epoch} {self._seed}".encode()
        seed = int.from_bytes(hashlib.sha256(key).digest()[:6], "big")
        views = cut_views(degrade(pixels, seed, light=seed % _LIGHT_PERIOD == 0), self._spec, 1)
        batch = torch.from_numpy(np.stack([normalise(view, self._spec) for view in views]))
        return batch, int(row.label == "ai"), self._categories[index]
