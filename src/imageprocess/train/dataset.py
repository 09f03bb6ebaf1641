"""The training pictures: a cache of prepared pixels, and the random pipeline that both classes go through."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ..data.equalise import equalise, picture_seed, prepare
from ..data.index import IndexRow
from ..decode import decode
from ..errors import DataError
from ..model.preprocess import preprocess
from ..model.spec import InputSpec

CACHE_NAME = "prepared"
# One encoder for both classes: the picture is on its way to a random re-encoding and a resize to 224 anyway, and at
# this quality it differs from lossless by less than one grey level on average, at a tenth of the bytes.
_CACHE_QUALITY = 98
LABELS = {"ai": 0, "real": 1}  # the order of the classes in every model of ours


class Pictures(Dataset[tuple[Tensor, int]]):
    """Equalised pictures of one split.

    Training draws a new degradation each epoch (`set_epoch`); validation and test draw one from the picture's own
    sha256, so that every run measures on the very same pixels.
    """

    def __init__(
        self, folder: Path, rows: Sequence[IndexRow], spec: InputSpec, *, seed: int, training: bool
    ) -> None:
        self.folder = folder
        self.rows = rows
        self.spec = spec
        self.seed = seed
        self.training = training
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.rows)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """-> pixels (3, H, W) float32 normalised, class index."""
        row = self.rows[index]
        pixels = read_prepared(self.folder, row)
        if self.training:
            rng = np.random.default_rng((self.seed, self.epoch, index))
            pixels = equalise(pixels, int(rng.integers(2**48))).pixels
            if rng.random() < 0.5:
                pixels = pixels[:, ::-1]
        else:
            pixels = equalise(pixels, picture_seed(row.sha256)).pixels
        return torch.from_numpy(preprocess(np.ascontiguousarray(pixels), self.spec)), LABELS[row.label]


def epoch_order(rows: Sequence[IndexRow], *, seed: int, epoch: int) -> list[int]:
    """Every picture once in random order, and pictures of the smaller class again until both weigh the same."""
    rng = np.random.default_rng((seed, epoch))
    labels = np.array([LABELS[row.label] for row in rows])
    by_class = [np.flatnonzero(labels == label) for label in LABELS.values()]
    if min(len(members) for members in by_class) == 0:
        raise DataError("training needs pictures of both classes; the index holds only one")
    most = max(len(members) for members in by_class)
    drawn = [np.concatenate([m, rng.choice(m, most - len(m), replace=most > 2 * len(m))]) for m in by_class]
    order: list[int] = rng.permutation(np.concatenate(drawn)).tolist()
    return order


def cache_path(folder: Path, row: IndexRow) -> Path:
    return folder / CACHE_NAME / row.sha256[:2] / f"{row.sha256}.jpg"


def read_prepared(folder: Path, row: IndexRow) -> NDArray[np.uint8]:
    """-> (H, W, 3) uint8, from the cache or, where it is missing, from the picture itself."""
    try:
        data = cache_path(folder, row).read_bytes()
    except FileNotFoundError:
        return prepare(decode((folder / row.path).read_bytes(), name=row.path).pixels)
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return np.asarray(image.convert("RGB"))


def fill_cache(
    folder: Path, rows: Sequence[IndexRow], *, jobs: int, progress: Callable[[int, int], None]
) -> None:
    """Decode and shrink each picture once; a picture of 12 megapixels would else cost more than its training step."""
    missing = [row for row in rows if not cache_path(folder, row).exists()]
    with ProcessPoolExecutor(jobs) as pool:
        for done, _ in enumerate(
            pool.map(_cache_one, [folder] * len(missing), missing, chunksize=16), start=1
        ):
            progress(done, len(missing))


def _cache_one(folder: Path, row: IndexRow) -> None:
    target = cache_path(folder, row)
    target.parent.mkdir(parents=True, exist_ok=True)
    pixels = prepare(decode((folder / row.path).read_bytes(), name=row.path).pixels)
    part = target.with_suffix(".part")
    Image.fromarray(pixels).save(part, "JPEG", quality=_CACHE_QUALITY, subsampling=0)
    part.replace(target)
