"""Image files to pixels, and pixels to the network's input."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.index import IndexRow
from ...decode import decode
from ...errors import DataError
from ...model.spec import InputSpec


def decode_image(folder: Path, row: IndexRow) -> NDArray[np.uint8]:
    """-> (H, W, 3) uint8. Raises DataError if the file cannot be read, InputError if it is damaged."""
    path = folder / row.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: listed in the index but cannot be read ({error.strerror}); build or import the set again"
        ) from error
    return decode(data, name=row.path).pixels


def to_input(pixels: Tensor, spec: InputSpec) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in channels_last, normalised as `model.preprocess.normalise` does."""
    factor, offset = _scaling(spec, pixels.device)
    return (pixels.float() * factor - offset).permute(0, 3, 1, 2)


@cache
def _scaling(spec: InputSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """(3,), (3,) on the device. Cached, because a copy to a GPU waits until all of its queued work is done."""
    mean, std = (torch.tensor(values, device=device) for values in (spec.mean, spec.std))
    return 1 / (255 * std), mean / std
